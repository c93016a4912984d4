"""Digits read row by row by an LSTM of 128 units.

Reproduces the recurrent network of a TensorFlow textbook on MNIST (136,586 weights, Adam 0.001, batches of 128), which
reports about 0.93 after two epochs of 60,000 digits, measured on batches that it was training on.

`python -m benchmarks.digits` measures it.
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import row_lstm
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_row_lstm",
    source="TensorFlow textbook, MNIST by a recurrent network",
    dataset="mnist",
    model=row_lstm.Config(Image("image", 28, 28, 1)),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.001),),
        epochs=12,
        global_batch=128,
        checkpoint_every="6 epochs",
    ),
    gate=Gate("accuracy", 0.9),
)
