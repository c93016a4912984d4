"""Iris: which of three species is a flower, by the lengths and widths of its sepals and petals in centimetres?

Official format, that of TensorFlow's `iris_training.csv` (120 rows) and `iris_test.csv` (30 rows): a header of the
row count, the number of features and the names of the classes (`120,4,setosa,versicolor,virginica`), then four
numbers and the class id per line, separated by commas.
Source: Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics 7, 1936.
"""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import RAW
from emberline.pipelines.datasets.readers.raw_table import read_split, split_lines
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts, write_lines

SPECIES = ("setosa", "versicolor", "virginica")

SCHEMA = Schema(
    fields=tuple(
        Field(name, "float", minimum=0, maximum=100, required=True)
        for name in ("sepal_length", "sepal_width", "petal_length", "petal_width")
    ),
    label=Label("species", classes=tuple((name, str(index)) for index, name in enumerate(SPECIES))),
    key="row",
)

FILES = {"train": "iris_training.csv", "eval": "iris_test.csv"}
HEADER = r"^\s*\d+\s*,\s*\d+\s*(,\s*[A-Za-z][\w ]*)+$"

ROWS = {"train": 1_200, "eval": 1_200}
MEANS = np.array([[5.0, 3.4, 1.5, 0.25], [5.9, 2.8, 4.3, 1.3], [6.6, 3.0, 5.6, 2.0]])
DEVIATIONS = np.array([[0.35, 0.4, 0.2, 0.1], [0.5, 0.3, 0.45, 0.2], [0.6, 0.3, 0.55, 0.27]])


class Iris:
    """Reads the official files, or a Parquet table with the same column names."""

    name: ClassVar[str] = "iris"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the official files (or, with no split, any file or folder of such rows).
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing.
        """
        return read_split(spark, uri, split, FILES, SCHEMA, parse)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes both files with synthetic flowers: normally distributed measures around each species' own means.

        The best scores are those of the species' true posterior probabilities. More rows than the official files
        have: thirty would not tell a good model from a lucky one.
        """
        generator = np.random.default_rng(seed)
        best: dict[str, float] = {}
        for split, rows in ROWS.items():
            species = np.arange(rows) % len(SPECIES)
            flowers = np.round(generator.normal(MEANS[species], DEVIATIONS[species]), 1).clip(0.1)
            best = self.best(flowers, species)
            write_table(directory, split, flowers, species)
        return write_facts(directory, Synthetic(best, seed))

    def best(self, flowers: NDArray[np.float64], species: NDArray[np.int64]) -> dict[str, float]:
        """Returns the metrics of the true posterior probabilities of synthetic flowers.

        Args:
            flowers: `[rows, 4]`.
            species: `[rows]`.
        """
        return posterior_scores(posterior(flowers), species)

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Iris()


def write_table(directory: str, split: str, flowers: NDArray[np.float64], species: NDArray[np.int64]) -> None:
    """Writes one file in the official format.

    Args:
        directory: Folder or URI; made if absent.
        split: `train` or `eval`.
        flowers: `[rows, 4]` measures in centimetres.
        species: `[rows]` class ids.
    """
    storage.make_dirs(directory)
    header = f"{len(flowers)},{flowers.shape[1]},{','.join(SPECIES)}"
    rows = [",".join(f"{value:g}" for value in row) + f",{kind}" for row, kind in zip(flowers, species, strict=True)]
    write_lines(directory, FILES[split], [header, *rows])


def parse(lines: DataFrame) -> DataFrame:
    """Splits lines of the official format into text columns.

    Args:
        lines: `_raw` (one line each) and `_source`.

    Returns:
        One text column per field, the label, the key, `_raw`, `_source`, and `_fault` when a line does not have its
        5 fields (or 4, without the label). Headers and empty lines are not rows.
    """
    line = F.trim(F.col(RAW))
    return split_lines(lines.where((line != "") & ~line.rlike(HEADER)), SCHEMA)


def posterior(flowers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns the probability of each species, all equally frequent, given the first measures: `[rows, species]`."""
    known = flowers.shape[1]
    distance = (flowers[:, np.newaxis] - MEANS[:, :known]) / DEVIATIONS[:, :known]
    log_density = -0.5 * np.sum(distance**2, axis=2) - np.sum(np.log(DEVIATIONS[:, :known]), axis=1)
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    return density / density.sum(axis=1, keepdims=True)


def posterior_scores(probabilities: NDArray[np.float64], species: NDArray[np.int64]) -> dict[str, float]:
    """Returns `accuracy` and `log_loss`."""
    own = probabilities[np.arange(len(species)), species]
    return {
        "accuracy": float(np.mean(probabilities.argmax(axis=1) == species)),
        "log_loss": float(-np.mean(np.log(own))),
    }
