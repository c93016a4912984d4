"""Photographs in ImageNet's folders, `train/n01440764/….JPEG` and `val/n01440764/….JPEG`: ten of its classes.

The ten are those of fast.ai's "Imagenette", which can be had as such folders. For all thousand, or others, a module
with one line, `DATASET = ImageFolder("imagenet_full", (…the names of its folders…))`, and a recipe with as many
`outputs`. Photographs in folders of other names are rejected rows.
"""

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.datasets.generators.png import write_pictures
from emberline.pipelines.datasets.readers.image_folder import ImageFolder
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts

CLASSES = (
    "n01440764", "n02102040", "n02979186", "n03000684", "n03028079", "n03394916", "n03417042", "n03425413", "n03445777",
    "n03888257",
)  # fmt: skip
"""Tench, English springer, cassette player, chain saw, church, French horn, garbage truck, gas pump, golf ball,
parachute."""

FILES = {"train": 400, "val": 100}
MISPLACED = 0.02
"""Share of files whose folder is drawn anew."""


class ImageNet(ImageFolder):
    """Writes a stand-in itself."""

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes `train/n01440764/0000.png` and so on: stripes in a direction for each class.

        The best score is that of a reader who knows the directions, and nothing about which files were misplaced.
        """
        generator = np.random.default_rng(seed)
        right = write_pictures(directory, CLASSES, FILES, MISPLACED, generator, lambda kind: striped(kind, generator))
        return write_facts(directory, Synthetic({"accuracy": right}, seed))


def striped(kind: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Returns a picture `[height, width, 3]` of the class with this id."""
    height, width = generator.integers(96, 161, 2)
    down, across = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    angle = np.pi * kind / len(CLASSES)
    along = np.cos(angle) * across + np.sin(angle) * down
    wave = np.sin(2 * np.pi * along / generator.uniform(12, 24) + generator.uniform(0, 2 * np.pi))
    one, other = generator.uniform(0, 255, (2, 3))
    values = np.where(wave[..., np.newaxis] > 0, one, other) + generator.normal(0, 6, (height, width, 3))
    return np.clip(values, 0, 255).astype(np.uint8)


DATASET = ImageNet("imagenet", CLASSES)
