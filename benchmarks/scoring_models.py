"""What the scoring benchmark scores: click logs, and 28 × 28 pictures with a network that costs nothing or some; all
registered.

The networks are untrained: what a weight is makes no difference to what it costs. The statistics, with which the
vocabularies and the transform graph are made, are learned from the rows as always.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.analysis.analyze import analyze
from emberline.features.columns import Column, Numeric, cardinalities, describe, needs, sized, stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.digits.mnist import SCHEMA as MNIST
from emberline.pipelines.datasets.generators.clicks import _Truth
from emberline.pipelines.datasets.tabular.clicks import SCHEMA as CLICKS
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tracking import Tracker

DIFFERENT_ROWS = 100_000
"""So many different click rows are drawn, and repeated under keys of their own."""

FILES = 8
SIDE, CLASSES = 28, 10
PICTURES = Schema(
    (Field("pixels", "float", required=True, shape=(SIDE * SIDE,)),),
    Label("digit", tuple((str(digit),) for digit in range(CLASSES))),
    "row",
)


@dataclass(frozen=True)
class LeNet:
    """LeNet-5: LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998; 61,706 weights."""

    outputs: int = CLASSES

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Numeric("pixels", shape=(SIDE * SIDE,), default=0.0),)


def build(config: LeNet, cardinalities: Mapping[str, int]) -> Any:
    """`{"pixels": [batch, 784]}` to logits `[batch, 10]`."""
    import keras

    pixels = keras.Input((SIDE * SIDE,), name="pixels")
    hidden = keras.layers.Reshape((SIDE, SIDE, 1))(pixels)
    for filters, padding in ((6, "same"), (16, "valid")):
        hidden = keras.layers.Conv2D(filters, 5, padding=padding, activation="relu")(hidden)
        hidden = keras.layers.MaxPooling2D()(hidden)
    hidden = keras.layers.Flatten()(hidden)
    for units in (120, 84):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    return keras.Model({"pixels": pixels}, keras.layers.Dense(config.outputs)(hidden))


def pictures_recipe() -> Recipe:
    """A recipe around the network, for the export."""
    return Recipe("pictures", "LeCun et al., 1998", "none", LeNet(), Training((Optimizer("adam", 0.001),), 1, 100))


class Kind(NamedTuple):
    """One thing to score.

    Args:
        name: In the keys of the benchmark's ratios.
        recipe: The network.
        schema: Of the rows.
        rows: How many, by size of the benchmark. The cheaper a row, the more: what a job costs counts on our side.
        write: Writes so many rows into a folder.
    """

    name: str
    recipe: Recipe
    schema: Schema
    rows: tuple[int, int, int]
    write: Callable[[Path, int], None]


def kinds() -> tuple[Kind, ...]:
    """Click logs, pictures as arrays of numbers, and pictures as people have them: bytes."""
    softmax, lenet = load_recipe("mnist_softmax"), load_recipe("mnist_lenet")
    images = sized(lenet.stored_columns, MNIST)
    return (
        Kind("tabular", load_recipe("clicks_wide_deep"), CLICKS, (2_000_000, 400_000, 2_000), write_clicks),
        Kind("images", pictures_recipe(), PICTURES, (200_000, 40_000, 500), write_pictures),
        Kind("pixels_softmax", softmax, images, (2_000_000, 400_000, 2_000), write_pixels),
        Kind("pixels_lenet", lenet, images, (200_000, 40_000, 500), write_pixels),
    )


def write_clicks(folder: Path, rows: int) -> None:
    """Parquet files with 13 counts as float64, 26 texts, and a key."""
    fields, _ = _Truth(np.random.default_rng(1)).draw(np.random.default_rng(2), min(rows, DIFFERENT_ROWS))
    columns = {
        field.name: pa.array([float(text) if text else None for text in texts])
        if field.kind == "float"
        else pa.array([text or None for text in texts])
        for field, texts in zip(CLICKS.fields, fields, strict=True)
    }
    _write(folder, pa.table(columns), rows, "row")


def write_pictures(folder: Path, rows: int) -> None:
    """Parquet files with an array of 784 float32 numbers, and a key."""
    draw = np.random.default_rng(3)
    some = draw.random((min(rows, 2_000), SIDE * SIDE), np.float32)
    pixels = pa.FixedSizeListArray.from_arrays(pa.array(some.ravel()), SIDE * SIDE).cast(pa.list_(pa.float32()))
    _write(folder, pa.table({"pixels": pixels}), rows, "row")


def write_pixels(folder: Path, rows: int) -> None:
    """Parquet files with 784 bytes in one value, and a key."""
    some = np.random.default_rng(3).integers(0, 256, (min(rows, 2_000), SIDE * SIDE), np.uint8)
    _write(folder, pa.table({"image": pa.array(map(bytes, some), pa.binary())}), rows, MNIST.key)


def _write(folder: Path, some: pa.Table, rows: int, key: str) -> None:
    folder.mkdir(parents=True)
    for part in range(FILES):
        first, last = part * rows // FILES, (part + 1) * rows // FILES
        places = pa.array(np.arange(first, last) % some.num_rows)
        keys = pa.array([f"{index:016x}" for index in range(first, last)])
        pq.write_table(some.take(places).append_column(key, keys), folder / f"part-{part}.parquet")


def register(spark: SparkSession, tracker: Tracker, recipe: Recipe, schema: Schema, rows: str, folder: Path) -> str:
    """Exports an untrained network with the statistics of the rows; URI of its registered version."""
    from emberline.pipelines.training.export import export

    columns = stored(recipe.model.columns)
    learned = analyze(spark.read.parquet(rows), schema, str(folder), needs(recipe.model.columns))
    features = {
        "schema": schema.to_json(),
        "columns": [describe(column) for column in columns],
        "cardinalities": cardinalities(columns, learned),
        "statistics": learned.to_json(),
    }
    version = DatasetVersion(str(folder), {}, features)
    storage.write_text_atomic(version.features_uri, json.dumps(features))
    network = recipe.model_module.build(recipe.model, version.cardinalities)
    draw = np.random.default_rng(4)
    network.set_weights([draw.normal(0, 0.1, weight.shape) for weight in network.get_weights()])
    export(recipe, version, network, str(folder / "model"))
    examples = folder / "examples.parquet"
    pq.write_table(_first(rows).slice(0, 5).select([field.name for field in schema.fields]), examples)
    with tracker.step(recipe.name, "train") as run:
        name = f"emberline-benchmark-{recipe.name}"
        found = tracker.register(run.id, name, str(folder / "model"), schema, {}, str(examples))
    return f"models:/{found.name}/{found.version}"


def _first(rows: str) -> pa.Table:
    return pq.read_table(next(Path(rows).glob("*.parquet")))
