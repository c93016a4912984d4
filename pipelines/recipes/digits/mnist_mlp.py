"""Digits with two hidden layers of 800 rectifiers, and nothing against overfitting.

Reproduces the first network of the TensorLayer book, chapter "Multilayer perceptron" (1,276,810 weights, Adam 0.0001,
batches of 500); the book prints no accuracy.

Expect an accuracy of 0.954 on 2,000 held-out digits after training on 8,000
(`python -m benchmarks.digits`).
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import mlp
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_mlp",
    source="TensorLayer book, Multilayer perceptron",
    dataset="mnist",
    model=mlp.Config(Image("image", 28, 28, 1), (800, 800)),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.0001),),
        epochs=40,
        global_batch=500,
        checkpoint_every="20 epochs",
    ),
    gate=Gate("accuracy", 0.9),
)
