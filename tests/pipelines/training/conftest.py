"""A dataset version of a few hundred rows and the loop over it, in this process and without Spark."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features.columns import Column, Numeric, arrow_schema, cardinalities, describe, stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics, VocabularyFile
from emberline.features.tensors import stored_array
from emberline.features.tfrecord.layouts import write_shard
from emberline.features.tfrecord.manifest import ShardSet
from emberline.features.transform import TransformGraph
from emberline.models.tabular import dnn
from emberline.pipelines.preparation.shard_writer import at_ranks
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.loop import Loop

COLUMNS = tuple(Numeric(name) for name in ("a", "b"))
SPLITS = {"train": 330, "eval": 101}


@pytest.fixture(scope="session")
def version(tmp_path_factory: pytest.TempPathFactory) -> DatasetVersion:
    """Two numbers, of which a sum above zero makes the label likely; 330 rows to train on, 101 held out."""
    folder = str(tmp_path_factory.mktemp("version"))
    draw = np.random.default_rng(3)
    schema = Schema((Field("a", "float"), Field("b", "float")), Label("label", (("0",), ("1",))), "row")
    statistics = Statistics(330, (165, 165), None, {name: FieldStatistics(330, 0, mean=0.0) for name in "ab"}, folder)
    splits = {}
    for split, rows in SPLITS.items():
        a, b = draw.normal(size=(2, rows)).astype(np.float32)
        label = (a + b + draw.normal(size=rows) > 0).astype(np.float32)
        weight = draw.uniform(0.5, 2.0, rows).astype(np.float32)
        row = np.arange(rows)
        table = pa.RecordBatch.from_pydict({"a": a, "b": b, "label": label, "weight": weight, "row": row})
        shards = [
            write_shard(f"{folder}/{split}/part-{n}", [part], schema=table.schema, layout="block", rows_per_block=20)
            for n, part in enumerate((table.slice(0, 150), table.slice(150)))
        ]
        splits[split] = ShardSet(table.schema, "block", None, 20, tuple(shards)).to_json()
    features = {
        "schema": schema.to_json(),
        "columns": [describe(column) for column in COLUMNS],
        "cardinalities": {},
        "statistics": statistics.to_json(),
    }
    return DatasetVersion(folder, {"splits": splits}, features)


@pytest.fixture(scope="session")
def recipe() -> Callable[..., Recipe]:
    """A small network over the two numbers; any field of `Training` can be given."""

    def make(optimizer: Optimizer | None = None, hidden: tuple[int, ...] = (8,), **training: Any) -> Recipe:
        chosen = (optimizer or Optimizer("adam", learning_rate=0.02),)
        settings: Mapping[str, Any] = {"epochs": 3, "global_batch": 30, "workers": 1, "steps_per_call": 4} | training
        return Recipe("any", "nowhere", "none", dnn.Config(COLUMNS, hidden, dropout=0.1), Training(chosen, **settings))

    return make


@pytest.fixture(scope="session")
def start(version: DatasetVersion) -> Callable[..., tuple[Loop, list[dict[str, Any]]]]:
    """A loop and the events it will report, killed once it reports `kill_at` steps."""

    def make(recipe: Recipe, output: Path, kill_at: int | None = None) -> tuple[Loop, list[dict[str, Any]]]:
        events: list[dict[str, Any]] = []

        def report(event: dict[str, Any]) -> None:
            events.append(event)
            if kill_at is not None and event["event"] == "progress" and event["step"] >= kill_at:
                raise KeyboardInterrupt("killed")  # nothing in the loop catches it

        return Loop(recipe, version, str(output), tf.distribute.get_strategy(), 0, report), events

    return make


@pytest.fixture(scope="session")
def text_version() -> Callable[..., DatasetVersion]:
    """A dataset version of texts and numbers without Spark: vocabularies counted here, rows through the same graph."""

    def make(
        folder: Path, schema: Schema, columns: Sequence[Column], splits: Mapping[str, Mapping[str, Sequence[Any]]]
    ) -> DatasetVersion:
        facts = {}
        for field in schema.fields:
            if not field.tokens:
                values = np.array(splits["train"][field.name], float)
                facts[field.name] = FieldStatistics(len(values), 0, mean=values.mean(), deviation=values.std())
                continue
            texts = tf.constant(list(splits["train"][field.name]))
            words = Counter(word.decode() for row in field.tokens.split(texts).numpy() for word in row)
            lines = "".join(
                f"{word}\t{count}\n" for word, count in sorted(words.items(), key=lambda one: (-one[1], one[0]))
            )
            path = f"vocabularies/{field.name}.txt"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(lines)
            learned = VocabularyFile(path, len(words), sha256=hashlib.sha256(lines.encode()).hexdigest())
            facts[field.name] = FieldStatistics(len(texts), 0, values=sum(words.values()), vocabulary=learned)
        rows = len(splits["train"][schema.label.name])
        statistics = Statistics(rows, (), FieldStatistics(rows, 0, mean=1.0, deviation=1.0), facts, str(folder))
        transformed = stored(columns)
        graph = TransformGraph(schema, transformed, statistics)
        kept = arrow_schema(transformed)
        written = {}
        for split, raw in splits.items():
            found = graph({name: tf.constant(list(raw[name])) for name in graph.raw_spec})
            arrays = {column.name: stored_array(found[column.name], column.stored_shape) for column in transformed}
            arrays[schema.label.name] = pa.array(raw[schema.label.name], pa.float32())
            table = pa.RecordBatch.from_pydict(
                arrays | {schema.key: pa.array(map(str, range(len(raw[schema.label.name]))))}
            )
            shard = write_shard(f"{folder}/{split}/part-0", [table], schema=table.schema, rows_per_block=20)
            lengths = {
                item.name: at_ranks(Counter(table.column(item.name).value_lengths().to_pylist()))
                for item in kept
                if pa.types.is_list(item.type)
            }
            written[split] = ShardSet(table.schema, "block", None, 20, (shard,), lengths).to_json()
        features = {
            "schema": schema.to_json(),
            "columns": [describe(column) for column in transformed],
            "cardinalities": cardinalities(transformed, statistics),
            "statistics": statistics.to_json(),
        }
        return DatasetVersion(str(folder), {"splits": written}, features)

    return make
