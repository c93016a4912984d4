"""The files of `spoken_digits`, with all recordings of one person held out: a voice that the network never heard."""

from emberline.pipelines.datasets.audio.spoken_digits import DIGITS, PARTS, PATTERN, SPEAKERS, SpokenDigits
from emberline.pipelines.datasets.readers.sound_folder import Names

DATASET = SpokenDigits(
    "spoken_digits_by_speaker", DIGITS, Names(PATTERN, PARTS, "speaker", ("lucas", SPEAKERS[-1])), label="digit"
)
