"""Synthetic photographs of circles, squares and triangles, as a folder of image files: what `image_folder` reads.

Not a public data set: a stand-in for folders of your own, with sizes that differ and two file formats.
"""

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.datasets.generators.png import write_pictures
from emberline.pipelines.datasets.readers.image_folder import ImageFolder
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts

CLASSES = ("circle", "square", "triangle")
FILES = {"train": 600, "eval": 150}
MISPLACED = 0.03
"""Share of files whose folder is drawn anew."""


class Shapes(ImageFolder):
    """Writes its files itself."""

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes `train/CLASS/0000.png` and so on: coloured shapes, turned and moved, on noise of another colour.

        The best scores are those of a reader who knows every shape, and nothing about which files were misplaced.
        """
        generator = np.random.default_rng(seed)
        right = write_pictures(directory, CLASSES, FILES, MISPLACED, generator, lambda shape: draw(shape, generator)[0])
        return write_facts(directory, Synthetic({"accuracy": right}, seed))


DATASET = Shapes("shapes", CLASSES)


def draw(shape: int, generator: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Returns a picture `[height, width, 3]` of the shape with this class id, and which pixels are the shape's."""
    height, width = generator.integers(40, 81, 2)
    down, across = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    reach = min(height, width) * generator.uniform(0.28, 0.42)
    y, x = down - height / 2 - generator.normal(0, 2), across - width / 2 - generator.normal(0, 2)
    angle = generator.uniform(0, 2 * np.pi)
    y, x = (np.cos(angle) * y - np.sin(angle) * x) / reach, (np.sin(angle) * y + np.cos(angle) * x) / reach
    inside = [
        np.hypot(x, y) < 0.9,
        np.maximum(np.abs(x), np.abs(y)) < 0.8,
        (y < 0.55) & (y > 1.73 * np.abs(x) - 1.1),
    ][shape]
    ground, ink = generator.uniform(0, 110, 3), generator.uniform(145, 255, 3)
    values = np.where(inside[..., np.newaxis], ink, ground) + generator.normal(0, 12, (height, width, 3))
    return np.clip(values, 0, 255).astype(np.uint8), inside
