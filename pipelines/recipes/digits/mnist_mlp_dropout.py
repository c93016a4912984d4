"""Digits with two hidden layers of 800, and a fifth of the pixels and half of the units dropped.

Reproduces the network of the TensorLayer book, chapter "Multilayer perceptron" (1,276,810 weights); the book trains it
for 500 epochs at a tenth of this learning rate and prints no accuracy.

Expect an accuracy of 0.967 on 2,000 held-out digits after training on 8,000
(`python -m benchmarks.digits`).
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import mlp
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_mlp_dropout",
    source="TensorLayer book, Multilayer perceptron: dropout",
    dataset="mnist",
    model=mlp.Config(Image("image", 28, 28, 1), (800, 800), input_dropout=0.2, dropout=0.5),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.001),),
        epochs=30,
        global_batch=100,
        checkpoint_every="10 epochs",
    ),
    gate=Gate("accuracy", 0.9),
)
