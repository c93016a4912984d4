"""Synthetic pictures of two coloured shapes beside or above each other; a sentence tells what each shows.

"a large red circle left of a small blue square": one of the two is large, the other small. `pictures/` has a table of
images, their names and what they show, so that an encoder can learn to tell scenes apart, as encoders of photographs
learn classes; networks that write captions go on from what it says of each picture (`scene_captions`).
"""

import io
import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.pipelines.datasets.captions.captions import write_list
from emberline.pipelines.datasets.generators.png import png_bytes
from emberline.pipelines.datasets.readers.image_folder import image_schema
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.datasets.splits import SPLIT, named_split
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts

SIZES = {"large": 9.0, "small": 5.5}
COLOURS = {"red": (230, 50, 50), "green": (50, 220, 60), "blue": (70, 90, 240)}
SHAPES = ("circle", "square", "triangle")
PLACES = ("left of", "above")
SIDE = 40
"""Pixels of a picture, each way."""

THINGS = tuple(itertools.product(COLOURS, SHAPES))
SCENES = tuple(itertools.product(SIZES, THINGS, PLACES, THINGS))
"""Size of the first thing, itself, where it is, and the other thing, which has the other size."""

PICTURES = "pictures"
"""Folder of the table."""

FILES = {"train": 20, "val": 2}
"""Pictures of each scene."""

Scene = tuple[str, tuple[str, str], str, tuple[str, str]]


def sentence(scene: Scene) -> str:
    """Returns what the scene shows, in words."""
    size, one, place, two = scene
    (other,) = set(SIZES) - {size}
    return f"a {size} {' '.join(one)} {place} a {other} {' '.join(two)}"


def draw(scene: Scene, generator: np.random.Generator) -> NDArray[np.uint8]:
    """Returns a picture `[SIDE, SIDE, 3]` of it: two shapes, moved and turned a little, on dark noise."""
    size, one, place, two = scene
    (other,) = set(SIZES) - {size}
    down, across = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
    values = np.broadcast_to(generator.uniform(0, 60, 3), (SIDE, SIDE, 3))
    for (colour, shape), its_size, middle in ((one, size, 0.28), (two, other, 0.72)):
        along, beside = SIDE * middle + generator.normal(0, 0.7), SIDE / 2 + generator.normal(0, 2)
        y, x = (down - beside, across - along) if place == "left of" else (down - along, across - beside)
        angle, reach = generator.uniform(-0.3, 0.3), SIZES[its_size] + generator.normal(0, 0.4)
        y, x = (np.cos(angle) * y - np.sin(angle) * x) / reach, (np.sin(angle) * y + np.cos(angle) * x) / reach
        inside = {
            "circle": np.hypot(x, y) < 1,
            "square": np.maximum(np.abs(x), np.abs(y)) < 0.9,
            "triangle": (y < 0.8) & (y > 2 * np.abs(x) - 1.1),
        }[shape]
        values = np.where(inside[..., np.newaxis], COLOURS[colour] + generator.normal(0, 12, 3), values)
    return np.clip(values + generator.normal(0, 10, values.shape), 0, 255).astype(np.uint8)


class Scenes(NamedTable):
    """Reads `pictures/`, and writes it itself."""

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of all, of the table beside the captions; see `NamedTable`."""
        return super().read(spark, storage.join(uri, PICTURES), split)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes `pictures/train.parquet` and `pictures/val.parquet`, and `captions_train.json` and so on beside."""
        generator = np.random.default_rng(seed)
        for split, (names, scenes) in made_up().items():
            rows = {
                "path": names,
                "image": [png_bytes(draw(scene, generator)) for scene in scenes],
                "label": list(map(sentence, scenes)),
                SPLIT: [named_split(split)] * len(names),
            }
            sink = io.BytesIO()
            pq.write_table(pa.table(rows), sink)
            storage.write_bytes_atomic(storage.join(directory, PICTURES, f"{split}.parquet"), sink.getvalue())
        write_captions(directory)
        return write_facts(directory, Synthetic({}, seed))


def made_up() -> dict[str, tuple[list[str], list[Scene]]]:
    """Returns the names of the files of each split, and what they show."""
    return {
        split: ([f"{split}_{n:05d}.png" for n in range(count * len(SCENES))], list(SCENES) * count)
        for split, count in FILES.items()
    }


def write_captions(directory: str) -> None:
    """Writes what is true of the pictures, as `captions` reads it."""
    for split, (names, scenes) in made_up().items():
        write_list(directory, split, {name: [sentence(scene)] for name, scene in zip(names, scenes, strict=True)})


DATASET = Scenes("scenes", image_schema(tuple(map(sentence, SCENES)), "embedding"))
