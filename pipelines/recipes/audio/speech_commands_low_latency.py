"""Ten spoken words, silence and unknown words by the network that answers soonest: one layer of filters over all time.

Reproduces the model `low_latency_conv` of "Simple Audio Recognition" of the TensorFlow 1.8 documentation (949,862
weights, 5.6 million multiplications a second of sound where `conv` has 201 million), "slightly below" the other there.

Expect 0.98 on synthetic words after 20 epochs of 600 sounds; 47 seconds on one busy core.
"""

from dataclasses import replace

from emberline.models.audio import convolutional
from emberline.pipelines.recipes.audio import speech_commands_conv

CONV = speech_commands_conv.RECIPE
RECIPE = replace(
    CONV,
    name="speech_commands_low_latency",
    model=convolutional.Config(CONV.model.spectrum, "noise", "low_latency"),  # type: ignore[attr-defined]
    training=replace(CONV.training, epochs=20),
)
