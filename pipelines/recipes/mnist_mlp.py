"""Digits with a network of two hidden layers, without biases, and a fifth of the pixels and half of the units dropped.

Reproduces the two-hidden-layer network with which a TensorFlow textbook shows checkpoints (chapter on TensorFlow's
mechanics; 886,875 weights, RMSProp 0.001, batches of 128); the book prints no accuracy.

Expect EXPECTED, the mean of three seeds (`python -m benchmarks.digits`).
"""

from features.columns import Image
from models.vision.digits import mlp
from pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_mlp",
    source="TensorFlow textbook, MNIST with two hidden layers and dropout",
    dataset="mnist",
    model=mlp.Config(
        Image("image", 28, 28, 1), (625, 625), biases=False, deviation=0.01, input_dropout=0.2, dropout=0.5
    ),
    training=Training(
        optimizers=(Optimizer("rmsprop", learning_rate=0.001),),
        epochs=30,
        global_batch=128,
        checkpoint_every="10 epochs",
    ),
    gate=Gate("accuracy", 0.9),
)
