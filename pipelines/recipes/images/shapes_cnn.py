"""Folders of image files with a small convolutional network: where a recipe for images of your own begins.

Of no publication: the files are synthetic, circles, squares and triangles of all sizes in PNG, and 3 % of them lie in a
folder drawn at random, so that no network can be expected to be right more often than in 98 % of them.

Expect an accuracy of 0.956 on the 150 held-out files, the mean of three seeds with one worker each, where a reader of
all shapes has 0.987 (`python -m benchmarks.synthetic --recipes shapes_cnn`); a minute on two cores, nearly all of it
starting Spark and the workers.
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import cnn
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="shapes_cnn",
    source="synthetic files, Keras documentation, Code examples: Image classification from scratch (task)",
    dataset="shapes",
    model=cnn.Config(
        Image("image", height=32, width=32),
        convolutions=(cnn.Convolution(16, size=3), cnn.Convolution(32, size=3)),
        hidden_units=(64,),
        dropout=0.2,
        outputs=3,
    ),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.002),), epochs=12, global_batch=32, checkpoint_every="6 epochs"
    ),
    gate=Gate("accuracy", 0.6),
)
