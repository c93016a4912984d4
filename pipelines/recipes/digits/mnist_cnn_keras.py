"""Digits with two convolutions of 3 x 3 and a dense layer of 128: Keras' example `mnist_cnn`.

Reproduces that example as textbooks print it (600,810 weights, Adadelta, 12 epochs), with an accuracy of 0.9893 after
training on all of MNIST.

Expect an accuracy of 0.979 on 2,000 held-out digits after training on 8,000
(`python -m benchmarks.digits`).
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import cnn
from emberline.models.vision.digits.cnn import Convolution
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_cnn_keras",
    source="Keras, examples/mnist_cnn.py",
    dataset="mnist",
    model=cnn.Config(
        Image("image", 28, 28, 1),
        (Convolution(32, 3, pool=1, padding="valid"), Convolution(32, 3, padding="valid", dropout=0.25)),
        hidden_units=(128,),
        dropout=0.5,
    ),
    training=Training(
        # Keras' Adadelta had 1.0 by default when the example was written.
        optimizers=(Optimizer("adadelta", learning_rate=1.0),),
        epochs=12,
        global_batch=128,
        checkpoint_every="6 epochs",
    ),
    gate=Gate("accuracy", 0.95),
)
