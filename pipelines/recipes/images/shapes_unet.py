"""Which pixels of a picture are the shape's, by a small U-Net with Dice loss.

After "U-Net: Convolutional Networks for Biomedical Image Segmentation", as the TensorLayer book's chapter on brain
tumours trains it, with an eighth of its filters. The pictures are synthetic.
"""

from emberline.features.columns import Image
from emberline.models.vision.segmentation import unet
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="shapes_unet",
    source="Ronneberger, Fischer, Brox, U-Net: Convolutional Networks for Biomedical Image Segmentation",
    dataset="shapes_segmentation",
    model=unet.Config((Image("image", 48, 48),), Image("mask", 48, 48, 1), (8, 16, 32, 64)),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.001),),
        epochs=12,
        global_batch=16,
        checkpoint_every="4 epochs",
    ),
    gate=Gate("dice", 0.8),
)
