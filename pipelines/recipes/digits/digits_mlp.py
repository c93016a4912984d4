"""Digits of 8 × 8 pixels with one hidden layer: the smallest data set of images, for a first look at a network.

Of no publication: the data are scikit-learn's `digits`, on which its guide shows a support vector machine with an
accuracy of 0.97 ("Recognizing hand-written digits", the second half of the table held out).

Expect an accuracy of 0.970 on 359 held-out digits of that table, the mean of three seeds with one worker each
(`python -m benchmarks.synthetic --recipes digits_mlp`); a minute on two cores, nearly all of it starting Spark and the
workers.
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import mlp
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="digits_mlp",
    source="scikit-learn, Examples: Recognizing hand-written digits (data)",
    dataset="digits",
    model=mlp.Config(Image("image", height=8, width=8, channels=1), hidden_units=(128,), dropout=0.2, outputs=10),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.005),), epochs=40, global_batch=64, checkpoint_every="20 epochs"
    ),
    gate=Gate("accuracy", 0.8),
)
