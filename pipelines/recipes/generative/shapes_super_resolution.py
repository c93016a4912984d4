"""Small pictures made four times as high and wide, by SRGAN's generator with four of its sixteen blocks.

After "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", first stage: squared error
alone. The second, with a critic, is a recipe with images of 64 x 64, `adversarial=0.001`, optimizers of the scopes
`generator` and `discriminator`, and `--warm-start` from this training. The pictures are synthetic.

`python -m benchmarks.pictures` compares it with bicubic interpolation.
"""

from emberline.features.columns import Image
from emberline.models.vision.generative import srgan
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="shapes_super_resolution",
    source="Ledig and others, Photo-Realistic Single Image Super-Resolution Using a GAN",
    dataset="shapes_reconstruction",
    model=srgan.Config(Image("image", 32, 32), blocks=4),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.001),),
        epochs=40,
        global_batch=16,
        checkpoint_every="20 epochs",
    ),
    gate=Gate("psnr", 15.0),
)
