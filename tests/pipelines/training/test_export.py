"""Rows of every form all the way: transform, shards, reader, network, SavedModel; three signatures, one score."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features import storage
from emberline.features.columns import (
    Bucketized,
    Column,
    Crossed,
    Embedding,
    Indicator,
    Numeric,
    Vocabulary,
    Weighted,
    arrow_schema,
    cardinalities,
    describe,
    shared_embeddings,
    stored,
)
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics, VocabularyFile
from emberline.features.tensors import padded, raw_tensors, stored_array, stored_tensor
from emberline.features.tfrecord.codec.example import serialize_examples
from emberline.features.tfrecord.input import read_epoch
from emberline.features.tfrecord.layouts import read_shard, write_shard
from emberline.features.tfrecord.manifest import ShardSet
from emberline.features.transform import TransformGraph
from emberline.models.tabular import feature_layers
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop

ROWS = 500
SCHEMA = Schema(
    (
        Field("age", "integer"),
        Field("town", "string"),
        Field("vector", "float", shape=(2, 2)),
        Field("tags", "string", many=True),
        Field("strength", "float", many=True),
        Field("seen", "string", many=True),
        Field("pulse", "float", many=True),
    ),
    Label("label", (("0",), ("1",))),
    "key",
)
TAGS = Vocabulary("tags", many=True, unseen_buckets=2)


@dataclass(frozen=True)
class Config:
    """A network of its own: wide, deep and a recurrent tower over the sequence."""

    words: str

    @property
    def wide(self) -> tuple[Any, ...]:
        buckets = Bucketized(Numeric("vector", shape=(2, 2)), (0.0, 1.0))
        return (Weighted(TAGS, "strength"), Crossed(("town", "tags"), 50, many=True), Numeric("age"), buckets)

    @property
    def deep(self) -> tuple[Any, ...]:
        seen = Vocabulary("seen", file=self.words, many=True)
        town = Vocabulary("town", file=self.words)
        shared = shared_embeddings((seen, town), 3, max_norm=1.0)
        return (Numeric("vector", shape=(2, 2)), Indicator(Weighted(TAGS, "strength")), *shared)

    @property
    def steps(self) -> tuple[Any, ...]:
        seen = Vocabulary("seen", file=self.words, many=True)
        return (Numeric("pulse", "zscore", many=True), Embedding(seen, 4), Indicator(seen))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (*self.wide, *self.deep, *self.steps)


def build(config: Config, cardinalities: Mapping[str, int]) -> keras.Model:
    inputs = feature_layers.model_inputs(config.columns)
    logit = feature_layers.linear_logit(config.wide, inputs, cardinalities, "wide")
    dense = feature_layers.dense_features(config.deep, inputs, cardinalities, "deep")
    steps, lengths = feature_layers.sequence_features(config.steps, inputs, cardinalities, "steps")
    length = keras.ops.cast(keras.ops.expand_dims(lengths, -1), "float32")
    summed = keras.ops.sum(keras.layers.Dense(3, activation="tanh", use_bias=False)(steps), axis=1)
    hidden = keras.layers.Dense(5, activation="relu")(keras.ops.concatenate([dense, summed, length], axis=-1))
    return keras.Model(inputs, logit + keras.ops.squeeze(keras.layers.Dense(1)(hidden), -1))


def raw_rows() -> pa.RecordBatch:
    draw = np.random.default_rng(5)
    words = np.array(["a", "b", "c", "rare", ""])

    def texts() -> list[str]:
        return [str(word) for word in draw.choice(words, draw.integers(0, 5))]

    tags = [texts() if draw.random() > 0.1 else None for _ in range(ROWS)]
    return pa.RecordBatch.from_pydict(
        {
            "age": pa.array([int(x) if x < 80 else None for x in draw.integers(0, 90, ROWS)], pa.int64()),
            "town": pa.array([str(word) for word in draw.choice(words, ROWS)]),
            "vector": pa.array(draw.normal(size=(ROWS, 4)).astype(np.float32).tolist(), pa.list_(pa.float32())),
            "tags": pa.array(tags, pa.list_(pa.string())),
            "strength": pa.array([[0.5 + at for at in range(len(row or ()))] for row in tags], pa.list_(pa.float32())),
            "seen": pa.array([texts() for _ in range(ROWS)], pa.list_(pa.string())),
            "pulse": pa.array(
                [[float(x) for x in range(draw.integers(0, 4))] for _ in range(ROWS)], pa.list_(pa.float32())
            ),
        }
    )


@dataclass(frozen=True)
class Exported:
    """What was written, and the shards it came from."""

    model: Path
    rows: pa.RecordBatch
    folder: str
    shards: ShardSet
    network: keras.Model
    columns: tuple[Any, ...]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    home = tmp_path_factory.mktemp("home")
    words, folder = str(home / "words.txt"), str(home / "version")
    storage.write_text_atomic(words, "c\na\nb\n")
    storage.write_text_atomic(f"{folder}/vocabularies/tags.txt", "b\t9\na\t8\nc\t1\n")
    statistics = Statistics(
        ROWS,
        (250, 250),
        None,
        {
            "age": FieldStatistics(ROWS, 0, mean=40.0),
            "vector": FieldStatistics(ROWS, 0, mean=0.0),
            "pulse": FieldStatistics(ROWS, 0, mean=2.0, deviation=1.5),
            "tags": FieldStatistics(ROWS, 0, vocabulary=VocabularyFile("vocabularies/tags.txt", 3)),
        },
        folder,
    )
    recipe = Recipe("any", "nowhere", "none", Config(words), Training((Optimizer("adam", 0.05),), 2, 50, workers=1))
    columns = stored(recipe.model.columns)
    rows = raw_rows()
    graph = TransformGraph(SCHEMA, columns, statistics)
    found = tf.function(graph.__call__, input_signature=[graph.raw_spec])(raw_tensors(rows, graph.schema))
    arrays = [stored_array(found[column.name], column.stored_shape) for column in columns]
    number = np.arange(ROWS)
    label = pa.array((number % 3 == 0).astype(np.float32))
    table = pa.RecordBatch.from_arrays(
        [*arrays, label, pa.array(number)],
        schema=pa.schema([*arrow_schema(columns), ("label", pa.float32()), ("row", pa.int64())]),
    )
    for split in ("train", "eval"):
        shard = write_shard(f"{folder}/{split}/part", [table], schema=table.schema, layout="block", rows_per_block=37)
    shards = ShardSet(table.schema, "block", None, 37, (shard,))
    features = {
        "schema": SCHEMA.to_json(),
        "columns": [describe(column) for column in columns],
        "cardinalities": cardinalities(columns, statistics),
        "statistics": statistics.to_json(),
    }
    version = DatasetVersion(folder, {"splits": dict.fromkeys(("train", "eval"), shards.to_json())}, features)
    storage.write_text_atomic(f"{folder}/features.json", "{}")
    loop = Loop(recipe, version, str(home / "training"), tf.distribute.get_strategy(), 0, lambda event: None)
    network = loop.run()
    export(recipe, version, network, str(home / "model"))
    moved = tmp_path_factory.mktemp("elsewhere") / "model"
    shutil.move(home / "model", moved)
    shutil.move(folder, home / "kept")
    Path(words).unlink()
    return Exported(moved, rows, str(home / "kept" / "train"), shards, network, columns)


def test_both_vocabularies_are_assets(exported: Exported) -> None:
    assert {file.name for file in (exported.model / "assets").iterdir()} == {"words.txt", "tags.txt"}


def test_raw_columns_examples_and_transformed_columns_score_the_same(exported: Exported) -> None:
    signatures = tf.saved_model.load(str(exported.model)).signatures
    raw = signatures["serving_default"](**raw_tensors(exported.rows, SCHEMA))["score"].numpy()
    examples = tf.constant(serialize_examples(exported.rows).to_pylist())
    parsed = signatures["serve_examples"](examples=examples)["score"].numpy()
    (batch,) = [
        pa.Table.from_batches(read_shard(exported.folder, exported.shards, exported.shards.shards[0]))
        .combine_chunks()
        .to_batches()[0]
    ]
    inputs = {column.name: stored_tensor(batch.column(column.name)) for column in exported.columns}
    transformed = signatures["serve_transformed"](**inputs)["score"].numpy()
    assert len(np.unique(raw)) > ROWS / 2
    np.testing.assert_allclose(parsed, raw, rtol=1e-6)
    np.testing.assert_allclose(transformed, raw, rtol=1e-6)
    np.testing.assert_allclose(tf.sigmoid(exported.network(inputs)), raw, rtol=1e-5)


def test_the_reader_yields_what_was_transformed(exported: Exported) -> None:
    signature = tf.saved_model.load(str(exported.model)).signatures
    raw = signature["serving_default"](**raw_tensors(exported.rows, SCHEMA))["score"].numpy()
    seen = np.full(ROWS, np.nan)
    for batch in read_epoch(exported.folder, exported.shards, batch_size=64, seed=7, drop_remainder=False):
        inputs = {name: padded(value) for name, value in batch.items() if name not in ("row", "label")}
        seen[batch["row"].numpy()] = signature["serve_transformed"](**inputs)["score"].numpy()
    np.testing.assert_allclose(seen, raw, rtol=1e-6)


def test_rows_of_any_padding_score_the_same(exported: Exported) -> None:
    score = tf.saved_model.load(str(exported.model)).signatures["serving_default"]
    whole = score(**raw_tensors(exported.rows, SCHEMA))["score"].numpy()
    single = [float(score(**raw_tensors(exported.rows.slice(at, 1), SCHEMA))["score"][0]) for at in range(40)]
    np.testing.assert_allclose(single, whole[:40], rtol=1e-5)


def test_signatures_take_rows_of_any_length(exported: Exported) -> None:
    spec = tf.saved_model.load(str(exported.model)).signatures["serving_default"].structured_input_signature[1]
    shapes = {name: item.shape.as_list() for name, item in spec.items()}
    assert shapes == {
        "age": [None], "town": [None], "vector": [None, 2, 2], "tags": [None, None], "strength": [None, None],
        "seen": [None, None], "pulse": [None, None],
    }  # fmt: skip
