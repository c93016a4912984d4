"""Spoken digits: which digit did a person say? Short recordings at 8,000 samples per second.

Official format: WAV files called `{digit}_{speaker}_{take}.wav` in one folder; the takes 0 to 4 of each speaker and
digit are held out, as the data set's makers do it.
Source: Jackson, "Free Spoken Digit Dataset", github.com/Jakobovski/free-spoken-digit-dataset.
"""

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from emberline.features import storage
from emberline.features.sounds.wav import wav_bytes
from emberline.pipelines.datasets.readers.sound_folder import Names, SoundFolder
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts

RATE = 8_000
DIGITS = tuple(str(digit) for digit in range(10))
PATTERN, PARTS = r"^(\d)_(.+)_(\d+)\.wav$", ("label", "speaker", "take")

SPEAKERS, TAKES = ("ada", "ben", "cleo"), 25
MISNAMED = 0.02
"""Share of synthetic recordings whose digit is drawn anew when they are named."""


class SpokenDigits(SoundFolder):
    """Writes files itself."""

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes files of the official names: two vowels for each digit, in the pitch of three voices, under noise.

        The best scores are those of a listener who knows every digit, and nothing about which files were misnamed.
        """
        generator = np.random.default_rng(seed)
        right = []
        for speaker, pitch in zip(SPEAKERS, (210.0, 110.0, 160.0), strict=True):
            for take in range(TAKES):
                said = np.where(generator.random(10) < MISNAMED, generator.integers(0, 10, 10), np.arange(10))
                for name, digit in enumerate(said):
                    file = storage.join(directory, f"{name}_{speaker}_{take}.wav")
                    storage.write_bytes_atomic(file, wav_bytes(spoken(int(digit), pitch, generator), RATE))
                if self.names and (str(take) if self.names.by == "take" else speaker) in self.names.held_out:
                    right.append(said == np.arange(10))
        return write_facts(directory, Synthetic({"accuracy": float(np.mean(right))}, seed))


DATASET = SpokenDigits("spoken_digits", DIGITS, Names(PATTERN, PARTS, "take", ("0", "1", "2", "3", "4")), label="digit")

VOWELS = ((730, 1090), (270, 2290), (530, 1840), (300, 870), (660, 1720))
"""First two formants of American vowels, in hertz.

Source: Peterson and Barney, "Control Methods Used in a Study of the Vowels", 1952.
"""


PAIRS = tuple(permutations(VOWELS, 2))


def spoken(word: int, pitch: float, generator: np.random.Generator, rate: int = RATE) -> NDArray[np.float64]:
    """Returns a synthetic word: one vowel after another.

    Args:
        word: Which of the twenty pairs of vowels.
        pitch: Of the voice, in hertz.
        generator: How it is said this time.
        rate: Samples per second.
    """
    first, second = PAIRS[word]
    length = int(rate * generator.uniform(0.25, 0.6))
    way = np.clip((np.linspace(0, 1, length) - 0.35) / 0.3, 0, 1)
    pitch *= generator.uniform(0.9, 1.1)
    phase = 2 * np.pi * pitch / rate * np.arange(length)
    sound = np.zeros(length)
    scale = generator.uniform(0.93, 1.07)
    for harmonic in range(1, int(0.45 * rate / pitch)):
        for low, high in zip(first, second, strict=True):
            formant = scale * ((1 - way) * low + way * high)
            sound += np.exp(-(((harmonic * pitch - formant) / 120) ** 2)) * np.sin(harmonic * phase)
    envelope = np.sin(np.pi * np.linspace(0, 1, length)) ** 0.5
    sound = sound / np.abs(sound).max() * envelope * generator.uniform(0.2, 0.7)
    return sound + generator.normal(0, 0.01, length)
