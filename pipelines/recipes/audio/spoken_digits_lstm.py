"""Spoken digits by an LSTM of 128 units over 20 mel-frequency cepstral coefficients of 80 frames.

Reproduces the speech recognition of a TensorFlow textbook (108,298 weights, Adam, batches of 64), which reports 0.98
"within a minute" on other recordings, a batch of which it trains and tests on.

Expect an accuracy of 0.953 on the 150 held-out takes of three speakers of the Free Spoken Digit Dataset, after training
on 1,350; four minutes on two busy cores, of which training takes one.
`--set dataset=spoken_digits_by_speaker` holds a speaker out instead.
"""

from emberline.features.columns import Spectrum
from emberline.models.audio import recurrent
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="spoken_digits_lstm",
    source="TensorFlow textbook, Recognition of spoken digits",
    dataset="spoken_digits",
    model=recurrent.Config(
        Spectrum("sound", rate=8_000, window=256, hop=100, mels=40, coefficients=20, frames=80),
        input_dropout=0.2,
        dropout=0.5,
    ),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.001),),
        epochs=70,
        global_batch=64,
        workers=1,
        average_decay=0.99,
        checkpoint_every="35 epochs",
    ),
    gate=Gate("accuracy", 0.8),
)
