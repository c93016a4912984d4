"""Digits by a linear model of the pixels, against which random Fourier features are measured.

Reproduces the tuned linear classifier of "Improving Linear Models Using Explicit Kernel Methods" in the TensorFlow 1.8
documentation, which reports about 0.93 at best, and 0.925 before tuning.

Expect an accuracy of 0.922 on 2,000 held-out digits after training on 8,000
(`python -m benchmarks.digits`).
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import mlp
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_linear",
    source="TensorFlow 1.8 documentation, Improving Linear Models Using Explicit Kernel Methods",
    dataset="mnist",
    model=mlp.Config(Image("image", 28, 28, 1), ()),
    training=Training(
        optimizers=(Optimizer("ftrl", learning_rate=5.0, l2=1.0),),
        epochs=30,
        global_batch=256,
        checkpoint_every="10 epochs",
    ),
    gate=Gate("accuracy", 0.8),
)
