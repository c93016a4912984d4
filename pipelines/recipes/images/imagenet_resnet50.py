"""A residual network of fifty layers.

After "Deep Residual Learning for Image Recognition", with its momentum and L2.

Ten of ImageNet's classes come by `--input`, in folders (see `emberline.pipelines.datasets.images.imagenet`); without,
pictures of stripes are drawn, whose direction is their class: they show that it runs, three epochs of 400 are no
training.
"""

from emberline.features.columns import Image
from emberline.models.vision.imagenet import applications
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="imagenet_resnet50",
    source="He and others, Deep Residual Learning for Image Recognition",
    dataset="imagenet",
    model=applications.Config(Image("image", 224, 224), "ResNet50", outputs=10),
    training=Training(
        optimizers=(Optimizer("sgd", learning_rate=0.02, momentum=0.9, l2=0.00005),), epochs=3, global_batch=32
    ),
    gate=Gate("accuracy", 0.5),
)
