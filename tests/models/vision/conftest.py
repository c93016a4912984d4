"""Dataset versions of pictures, made in this process and without Spark."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from emberline.features.columns import Image, describe, sized
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.tfrecord.layouts import write_shard
from emberline.features.tfrecord.manifest import ShardSet


def version_of(
    folder: str,
    columns: Mapping[Image, np.ndarray],
    labels: np.ndarray,
    label: Label,
    held_out: int,
    shards: int = 2,
) -> DatasetVersion:
    """A dataset version of pictures.

    Args:
        folder: Where its shards lie.
        columns: Pixels of each column, uint8 `[rows, height, width, channels]`.
        labels: Class ids, `[rows]`.
        label: What they are called.
        held_out: Rows at the end that are held out.
        shards: Files of the training split.
    """
    rows = len(labels)
    pixels = {
        column.name: pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values[0].size)
        for column, values in columns.items()
    }
    numbers = {label.name: labels.astype(np.float32), "row": np.arange(rows)}
    table = pa.RecordBatch.from_pydict(pixels | numbers)
    schema = sized(columns, Schema(tuple(Field(column.name, "image") for column in columns), label, "row"))
    counts = tuple(np.bincount(labels.astype(int)).tolist()) if label.classes else ()
    facts = {column.name: FieldStatistics(rows, 0) for column in columns}
    parts = {"train": np.array_split(np.arange(rows - held_out), shards), "eval": [np.arange(rows - held_out, rows)]}
    splits = {}
    for split, ranges in parts.items():
        written = [
            write_shard(
                f"{folder}/{split}/part-{number}",
                [table.slice(int(part[0]), len(part))],
                schema=table.schema,
                layout="block",
                rows_per_block=50,
            )
            for number, part in enumerate(ranges)
        ]
        splits[split] = ShardSet(table.schema, "block", None, 50, tuple(written)).to_json()
    features = {
        "schema": schema.to_json(),
        "columns": [describe(column) for column in columns],
        "cardinalities": {},
        "statistics": Statistics(rows, counts, None, facts, folder).to_json(),
    }
    version = DatasetVersion(folder, {"splits": splits}, features)
    Path(version.features_uri).write_text(json.dumps(features))
    return version


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., DatasetVersion]:
    """Versions of random pictures, in which a class is a bright quarter: 48 rows to train on, 16 held out."""

    def make(columns: tuple[Image, ...], label: Label) -> DatasetVersion:
        draw, rows = np.random.default_rng(5), 64
        labels = np.arange(rows) % max(len(label.classes), 2)
        drawn = {}
        for column in columns:
            values = draw.integers(0, 128, (rows, *column.stored_shape))
            for row, kind in enumerate(labels % 4):
                top, left = (side // 2 * part for side, part in zip(values.shape[1:3], divmod(kind, 2), strict=True))
                values[row, top : top + values.shape[1] // 2, left : left + values.shape[2] // 2] += 127
            drawn[column] = values.astype(np.uint8)
        return version_of(str(tmp_path_factory.mktemp("pictures")), drawn, labels, label, held_out=16)

    return make
