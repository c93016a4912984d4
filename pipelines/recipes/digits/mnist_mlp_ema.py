"""Digits with one hidden layer of 500, moving averages of the weights, L2, and a learning rate that falls.

Reproduces the MNIST best practice of a TensorFlow textbook (chapter on deep neural networks; 397,510 weights), which
reports an accuracy of 0.983 after training on 55,000 digits. There the learning rate falls by 1 % every 550 steps, an
epoch; here an epoch is a seventh of that.

Expect an accuracy of 0.961 on 2,000 held-out digits after training on 8,000
(`python -m benchmarks.digits`, which also leaves out one part at a time).
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import mlp
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training

RECIPE = Recipe(
    name="mnist_mlp_ema",
    source="TensorFlow textbook, MNIST best practice: averages, L2 and decay",
    dataset="mnist",
    model=mlp.Config(Image("image", 28, 28, 1), (500,), deviation=0.1, bias=0.1),
    training=Training(
        # The source's factor 0.0001 is of half the sum of squares.
        optimizers=(Optimizer("sgd", 0.8, schedule=Schedule("exponential", steps=80, factor=0.99), l2=5e-5),),
        epochs=30,
        global_batch=100,
        average_decay=0.99,
        checkpoint_every="10 epochs",
    ),
    gate=Gate("accuracy", 0.9),
)
