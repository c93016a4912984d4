"""Drawings as their strokes: what did somebody draw in twenty seconds?

Official format of "Quick, Draw!": files of `.ndjson`, a drawing in a line: its `word`, a `key_id`, and `drawing`, a
list of strokes, each a list of places across and a list of places downwards (a third list, of times, is passed over). A
tenth of the drawings is held out by a hash of their keys.
Source: github.com/googlecreativelab/quickdraw-dataset.

A data set of your own is a module in this folder with one line: `DATASET = Drawings("pets", ("cat", "dog"))`.
"""

import json
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.raw_table import read_named, require_input, row_key, text_lines
from emberline.pipelines.datasets.splits import held_out, is_held_out
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts, write_lines

WORDS = ("circle", "line", "square", "star", "triangle", "zigzag")
DRAWINGS, MISNAMED = 250, 0.02
"""Of the stand-in: drawings of each word, and the share of them whose word is drawn anew."""

_LINE = "word string, key_id string, drawing array<array<array<double>>>"


class Drawings:
    """Reads the official files, or a Parquet table with the same column names.

    Args:
        name: Of the data set: that of its module.
        words: By class id.
    """

    def __init__(self, name: str, words: tuple[str, ...]) -> None:
        self.name = name
        self.schema = Schema(
            fields=(
                Field("across", "float", many=True, required=True),
                Field("down", "float", many=True, required=True),
                Field("ends", "integer", many=True, required=True, minimum=0, maximum=1),
            ),
            label=Label("word", classes=tuple((word,) for word in words)),
            key="key_id",
        )

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: A folder of files, or one of them.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing.
        """
        found = require_input(uri)
        if any(file.endswith(".parquet") for file in found):
            rows = read_named(spark, uri, self.schema)
        else:
            rows = parse(text_lines(spark, [file for file in found if ".ndjson" in file] or found))
        if split is None:
            return rows
        key = F.coalesce(F.col(self.schema.key), F.lit(""))
        return rows.where(held_out(key) if split == "eval" else ~held_out(key))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes a file for each word, of shapes drawn by an unsteady hand, large and small.

        The best scores are those of a reader who knows every shape, and nothing about which drawings were misnamed.
        """
        generator = np.random.default_rng(seed)
        right = []
        for number, word in enumerate(WORDS):
            lines = []
            for index in range(DRAWINGS):
                drawn = int(generator.integers(len(WORDS))) if generator.random() < MISNAMED else number
                strokes = [
                    [[int(value) for value in axis] for axis in stroke.T] for stroke in _shape(WORDS[drawn], generator)
                ]
                key = str(10**15 + seed * 10**9 + number * 10**6 + index)
                if is_held_out(key):
                    right.append(drawn == number)
                lines.append(json.dumps({"word": word, "key_id": key, "recognized": True, "drawing": strokes}))
            write_lines(directory, f"{word}.ndjson", lines)
        return write_facts(directory, Synthetic({"accuracy": float(np.mean(right))}, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Drawings("drawings", WORDS)


def parse(lines: DataFrame) -> DataFrame:
    """Returns points in the order of drawing, and where strokes end.

    Args:
        lines: `_raw` (a JSON object each) and `_source`.

    Returns:
        `across`, `down`, `ends`, `word`, the key, `_raw`, `_source`, and `_fault` where a line is no drawing. Empty
        lines are not rows.
    """
    read = lines.where(F.trim(RAW) != "").withColumn("_line", F.from_json(RAW, _LINE))
    strokes = F.col("_line.drawing")

    def is_torn(stroke: "F.Column") -> "F.Column":  # type: ignore[name-defined]
        sides = (
            F.coalesce(F.size(F.get(stroke, F.lit(0))), F.lit(-1)),
            F.coalesce(F.size(F.get(stroke, F.lit(1))), F.lit(-2)),
        )
        return (sides[0] != sides[1]) | (sides[0] < 1)

    whole = F.coalesce(~F.exists(strokes, is_torn), F.lit(False)) & (F.size(strokes) > 0)
    fault = F.when(strokes.isNull(), F.lit("the line is no drawing in JSON"))
    fault = fault.when(~whole, F.lit("a stroke has not as many places across as downwards, or none"))

    def points(side: int) -> "F.Column":  # type: ignore[name-defined]
        return F.when(whole, F.flatten(F.transform(strokes, lambda stroke: F.get(stroke, F.lit(side)))))

    def last(stroke: "F.Column") -> "F.Column":  # type: ignore[name-defined]
        places = F.get(stroke, F.lit(0))
        return F.transform(places, lambda _, index: (index == F.size(places) - 1).cast("bigint"))

    key = F.coalesce(F.col("_line.key_id"), row_key(F.col(RAW)))
    return read.select(
        key.alias("key_id"),
        points(0).alias("across"),
        points(1).alias("down"),
        F.when(whole, F.flatten(F.transform(strokes, last))).alias("ends"),
        F.col("_line.word").alias("word"),
        F.col(RAW),
        F.col(SOURCE),
        fault.alias(FAULT),
    )


def _shape(word: str, generator: np.random.Generator) -> list[NDArray[np.floating]]:
    """Returns strokes `[points, 2]` of one drawing on a sheet of 256 x 256."""
    angle = generator.uniform(0, 2 * np.pi)
    turn: NDArray[np.floating]
    corners: NDArray[np.floating]
    if word == "circle":
        turn = np.linspace(0, 2 * np.pi * generator.uniform(0.9, 1.1), int(generator.integers(12, 24)))
        corners = np.stack([np.cos(turn + angle), np.sin(turn + angle)], axis=1)
    elif word == "line":
        corners = np.array([[-1.0, generator.uniform(-0.2, 0.2)], [1.0, generator.uniform(-0.2, 0.2)]])
    elif word == "zigzag":
        count = int(generator.integers(5, 9))
        corners = np.stack([np.linspace(-1, 1, count), np.resize([-0.4, 0.4], count)], axis=1)
    else:
        sides, jump = {"triangle": (3, 1), "square": (4, 1), "star": (5, 2)}[word]
        turn = 2 * np.pi * jump / sides * np.arange(sides + 1)
        corners = np.stack([np.cos(turn + angle), np.sin(turn + angle)], axis=1)
    corners = corners * generator.uniform(0.8, 1.2, 2) * generator.uniform(40, 110)
    between = 1 if word == "circle" else int(generator.integers(3, 7))
    pieces = [np.linspace(start, end, between, endpoint=False) for start, end in pairwise(corners)]
    points: NDArray[np.floating] = np.concatenate([*pieces, corners[-1:]])
    points = points + generator.normal(0, 2, points.shape)
    points = np.clip(points + generator.uniform(110, 146, 2), 0, 255)
    if len(points) > 8 and generator.random() < 0.4:  # the pen was lifted on the way
        cut = int(generator.integers(3, len(points) - 3))
        return [points[: cut + 1], points[cut:]]
    return [points]
