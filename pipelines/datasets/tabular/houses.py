"""House prices by place: what does a house cost at this latitude and longitude?

Not a public data set: the TensorFlow documentation sketches one, of Atlanta cut into a grid of 100 × 100 cells, and
gives no data. Files are `houses_train.csv` and `houses_test.csv`: a header `latitude,longitude,price`, degrees with a
point, prices in thousands of dollars.
"""

from typing import ClassVar

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import RAW
from emberline.pipelines.datasets.readers.raw_table import read_split, split_lines
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts, write_lines

SCHEMA = Schema(
    fields=(
        Field("latitude", "float", minimum=-90, maximum=90, required=True),
        Field("longitude", "float", minimum=-180, maximum=180, required=True),
    ),
    label=Label("price", minimum=0),
    key="row",
)

FILES = {"train": "houses_train.csv", "eval": "houses_test.csv"}

ROWS = {"train": 40_000, "eval": 10_000}
SOUTH, WEST, STEP, CELLS = 33.65, -84.55, 0.0025, 100
"""The grid: its corner, and the side of a cell, in degrees; cells along each side."""

SETTLED = 1_000
"""Cells with houses in them; a tenth of the grid, as a city that is mostly streets, parks and offices."""

NEIGHBOURHOOD, NOISE = 60.0, 25.0
"""Standard deviations, in thousands of dollars, of the prices of cells and of houses within one."""


class Houses:
    """Reads the two files, or a Parquet table with the same column names."""

    name: ClassVar[str] = "houses"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the two files (or, with no split, any file or folder of such rows).
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing.
        """
        return read_split(spark, uri, split, FILES, SCHEMA, parse)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes both files: a price level per settled cell, falling from the centre, and a bargain around it.

        Neighbouring cells differ by more than the trend explains, so latitude and longitude each by itself cannot
        tell what a cell costs. The best scores are those of the cells' own levels.
        """
        generator = np.random.default_rng(seed)
        settled = generator.choice(CELLS**2, SETTLED, replace=False)
        popularity = generator.gamma(2.0, size=SETTLED)
        place = np.stack(np.divmod(settled, CELLS), axis=1)
        distance = np.hypot(*(place - CELLS / 2).T) / CELLS
        level = 320 - 150 * distance + generator.normal(0, NEIGHBOURHOOD, SETTLED)
        best: dict[str, float] = {}
        storage.make_dirs(directory)
        for split, rows in ROWS.items():
            cell = generator.choice(SETTLED, rows, p=popularity / popularity.sum())
            # Away from the cell's edges, where rounding would decide to which cell a house belongs.
            spot = place[cell] + generator.uniform(0.05, 0.95, (rows, 2))
            price = np.round((level[cell] + generator.normal(0, NOISE, rows)).clip(1), 1)
            error = price - level[cell]
            best = {
                "rmse": float(np.sqrt(np.mean(error**2))),
                "mae": float(np.mean(np.abs(error))),
                "r2": float(1 - np.mean(error**2) / price.var()),
            }
            degrees = np.array([SOUTH, WEST]) + STEP * spot
            lines = [f"{x:.6f},{y:.6f},{cost:.1f}" for (x, y), cost in zip(degrees, price, strict=True)]
            write_lines(directory, FILES[split], ["latitude,longitude,price", *lines])
        return write_facts(directory, Synthetic(best, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Houses()


def parse(lines: DataFrame) -> DataFrame:
    """Splits lines into text columns, as `split_lines` does; headers and empty lines are not rows."""
    line = F.trim(F.col(RAW))
    return split_lines(lines.where((line != "") & ~line.startswith("latitude,")), SCHEMA)
