"""GoogLeNet, trained with its side classifiers, which its exported model does without.

After "Going Deeper with Convolutions", with Adam at 0.0001: at 0.0003 it learns nothing here.

Ten of ImageNet's classes come by `--input`, in folders (see `emberline.pipelines.datasets.images.imagenet`); without,
pictures of stripes are drawn, whose direction is their class: they show that it runs, three epochs of 400 are no
training.
"""

from emberline.features.columns import Image
from emberline.models.vision.imagenet import googlenet
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="imagenet_googlenet",
    source="Szegedy and others, Going Deeper with Convolutions",
    dataset="imagenet",
    model=googlenet.Config(Image("image", 224, 224), outputs=10, side_weight=0.3),
    training=Training(optimizers=(Optimizer("adam", learning_rate=0.0001),), epochs=3, global_batch=32),
    gate=Gate("accuracy", 0.5),
)
