"""Ten spoken words, silence and unknown words by a convolutional network on the spectrum of a second.

Reproduces "Simple Audio Recognition" of the TensorFlow 1.8 documentation (926,860 weights), which reports an
accuracy of 0.85 to 0.90 on the first version of Speech Commands after 18,000 steps of 100 sounds by gradient descent.

Expect 0.96 on synthetic words after 8 epochs of 600 sounds, ten seconds each on one busy core: so few show that every
part does its work, no more.
"""

from emberline.features.columns import Spectrum
from emberline.models.audio import convolutional
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="speech_commands_conv",
    source="TensorFlow 1.8 documentation, Tutorials: Simple Audio Recognition",
    dataset="speech_commands",
    model=convolutional.Config(
        Spectrum("sound", window=480, hop=160, mels=40, coefficients=40, frames=98, high=4_000, scale="htk"), "noise"
    ),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.001),),
        epochs=8,
        global_batch=50,
        workers=1,
        checkpoint_every="4 epochs",
    ),
    gate=Gate("accuracy", 0.5),
)
