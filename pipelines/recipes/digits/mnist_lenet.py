"""Digits with LeNet-5 in its own shape: 61,706 weights.

Reproduces the network of "Gradient-Based Learning Applied to Document Recognition" as textbooks print it; 0.992 on
MNIST after training on 60,000 digits.

Expect an accuracy of 0.970 on 2,000 held-out digits after training on 8,000
(`python -m benchmarks.digits`).
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import lenet
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_lenet",
    source="LeCun and others, Gradient-Based Learning Applied to Document Recognition",
    dataset="mnist",
    model=lenet.Config(Image("image", 28, 28, 1)),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.001),),
        epochs=20,
        global_batch=100,
        checkpoint_every="10 epochs",
    ),
    gate=Gate("accuracy", 0.9),
)
