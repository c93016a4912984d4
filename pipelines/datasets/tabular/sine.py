"""The sine function, sampled: ten values, and the one that follows.

Synthetic, with known values: 10,000 windows to train on from 0 at steps of 0.01, and the next 1,000 held out. Files
have the format of `series`.
"""

import numpy as np

from emberline.pipelines.datasets.synthetic import Synthetic, write_facts, write_lines
from emberline.pipelines.datasets.tabular.series import ENDINGS, Series

WINDOW, TRAIN, TEST, STEP = 10, 10_000, 1_000, 0.01


class Sine(Series):
    """Writes files itself."""

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes both files; nothing in them is random."""
        end = (TRAIN + WINDOW) * STEP
        points = {"train": np.linspace(0, end, TRAIN + WINDOW)}
        points["eval"] = np.linspace(end, end + (TEST + WINDOW) * STEP, TEST + WINDOW)
        for split, ending in ENDINGS.items():
            write_lines(directory, f"{self.name}{ending}", [f"{value:.9f}" for value in np.sin(points[split])])
        return write_facts(directory, Synthetic({"rmse": 0.0, "mae": 0.0, "r2": 1.0}, seed))


DATASET = Sine("sine", WINDOW)
