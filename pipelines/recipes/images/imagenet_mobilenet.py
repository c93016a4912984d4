"""MobileNet of the full width; `--set model.width=0.25` for a quarter of it.

After "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision Applications".

Ten of ImageNet's classes come by `--input`, in folders (see `emberline.pipelines.datasets.images.imagenet`); without,
pictures of stripes are drawn, whose direction is their class: they show that it runs, three epochs of 400 are no
training.
"""

from emberline.features.columns import Image
from emberline.models.vision.imagenet import applications
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="imagenet_mobilenet",
    source="Howard and others, MobileNets",
    dataset="imagenet",
    model=applications.Config(Image("image", 224, 224), "MobileNet", outputs=10),
    training=Training(optimizers=(Optimizer("adam", learning_rate=0.001),), epochs=3, global_batch=32),
    gate=Gate("accuracy", 0.5),
)
