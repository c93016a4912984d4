"""A series of numbers, one in a line: the last few of them, and the one that follows.

Files are `SERIES_train.csv` and `SERIES_test.csv`. A data set of your own is a module in this folder with one line:
`DATASET = Series("demand", window=24)`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.numbers import is_number
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.raw_table import file_name, read_named, require_input
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts

ROWS = 10_000
"""Windows of a batch."""

ENDINGS = {"train": "_train.csv", "eval": "_test.csv"}


class Series:
    """Reads the two files, or a Parquet table with the same column names.

    Args:
        name: Of the data set: that of its module, and what its files begin with.
        window: Numbers that come before the one to say.
    """

    def __init__(self, name: str, window: int) -> None:
        self.name = name
        self.window = window
        self.schema = Schema(
            fields=(Field("values", "float", shape=(window,), required=True),), label=Label("next"), key="row"
        )

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of all files at `uri`; the key is the file's name and the line's number.

        Args:
            spark: The session.
            uri: The folder of the two files, or one file.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or the file of the split is not there.
        """
        files = require_input(uri)
        if any(file.endswith(".parquet") for file in files):
            return read_named(spark, uri, self.schema)
        found = [file for file in files if file.endswith(ENDINGS[split] if split else tuple(ENDINGS.values()))]
        if not found:
            wanted = [self.name + ENDINGS[split]] if split else [self.name + ending for ending in ENDINGS.values()]
            raise BadInputError(f"{uri!r} holds no {' or '.join(wanted)}.")
        answer = f"row string, values array<double>, next double, {RAW} string, {SOURCE} string, {FAULT} string"
        return spark.range(0, len(found), 1, len(found)).mapInArrow(Windows(tuple(found), self.window), answer)

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Raises an error: there is no stand-in for a series of your own.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its folder with --input.")


class _Numbers(NamedTuple):
    values: np.ndarray
    """float64, NaN where a line is no number."""
    lines: list[str]


@dataclass(frozen=True)
class Windows:
    """Runs in executors: numbers of files in, their windows out.

    Args:
        files: What each number stands for.
        window: Numbers of a window.
    """

    files: tuple[str, ...]
    window: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield from self._windows(self.files[number])

    def _windows(self, file: str) -> Iterator[pa.RecordBatch]:
        numbers = _read(file)
        count = len(numbers.values) - self.window
        name = file_name(file)
        for start in range(0, max(count, 0), ROWS):
            part = range(start, min(start + ROWS, count))
            index = np.asarray(part)[:, np.newaxis] + np.arange(self.window + 1)
            values = numbers.values[index]
            faults = []
            for row in values:
                bad = np.flatnonzero(np.isnan(row))
                faults.append(f"{len(bad)} of its {self.window + 1} lines are no numbers" if len(bad) else None)
            arrays = [
                pa.array([f"{name}-{row + self.window:07d}" for row in part]),
                pa.array(list(values[:, :-1]), pa.list_(pa.float64())),
                pa.array(values[:, -1]),
                pa.array([",".join(numbers.lines[row : row + self.window + 1]) for row in part]),
                pa.array([file] * len(part)),
                pa.array(faults, pa.string()),
            ]
            yield pa.RecordBatch.from_arrays(arrays, names=["row", "values", "next", RAW, SOURCE, FAULT])


def _read(file: str) -> _Numbers:
    lines = storage.read_bytes(file).decode("utf-8", "replace").split()
    return _Numbers(np.array([_number(line) for line in lines], float), lines)


def _number(line: str) -> float:
    return float(line) if is_number(line) else float("nan")
