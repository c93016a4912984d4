"""A small registered model with fields of every form, and rows for it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.analysis.analyze import analyze
from emberline.features.columns import (
    Bucketized,
    Crossed,
    Embedding,
    HashBucket,
    Indicator,
    Numeric,
    Vocabulary,
    cardinalities,
    describe,
    needs,
    stored,
)
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.tensors import raw_tensors
from emberline.features.validation.rows import REASON, check_rows
from emberline.models.tabular import wide_deep
from emberline.pipelines.datasets.readers.raw_table import named_rows
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.tracking import ModelVersion, Tracker
from emberline.pipelines.training.export import export

ROWS = 3000
SCHEMA = Schema(
    (
        Field("age", "integer", ("?",), minimum=0, maximum=130),
        Field("town", "string", ("?",), default="nowhere", allowed=("Ulm", "Bonn", "Kiel", "nowhere")),
        Field("job", "string"),
        Field("amount", "float"),
        Field("pixels", "float", shape=(3,)),
        Field("tags", "string", many=True),
    ),
    Label("label", (("0",), ("1",))),
    "row",
)
TOWN = Vocabulary("town", words=("Ulm", "Bonn", "Kiel"), unseen_buckets=2)
CONFIG = wide_deep.Config(
    wide=(TOWN, HashBucket("job", 50), Crossed(("town", "job"), 100)),
    deep=(
        Numeric("age", default=40.0),
        Numeric("amount", "zscore"),
        Numeric("pixels", shape=(3,)),
        Embedding(TOWN, 4),
        Embedding(Vocabulary("job", minimum_count=2, unseen_buckets=3, called="job_learned"), 4),
        Indicator(Bucketized(Numeric("age", default=40.0), (20.0, 60.0))),
        Indicator(Vocabulary("tags", words=("a", "b", "c"), many=True)),
    ),
    hidden_units=(8,),
)
RECIPE = Recipe("scoring_test", "nowhere", "none", CONFIG, Training((Optimizer("adam", 0.01),), 1, 100))


@pytest.fixture(scope="session")
def people() -> Callable[..., pa.Table]:
    """Makes rows for the model."""
    return good_rows


def good_rows(rows: int = ROWS, seed: int = 3) -> pa.Table:
    """Good rows, some values of which are missing."""
    draw = np.random.default_rng(seed)

    def holes(values: list[object], share: float = 0.05) -> list[object]:
        return [None if draw.random() < share else value for value in values]

    return pa.table(
        {
            "row": [f"k{index:06d}" for index in range(rows)],
            "age": pa.array(holes(draw.integers(0, 100, rows).tolist()), pa.int32()),
            "town": pa.array(holes(draw.choice(["Ulm", "Bonn", "Kiel", "?", " Ulm "], rows).tolist())),
            "job": pa.array(holes([f"job{index}" for index in draw.zipf(1.5, rows) % 40])),
            "amount": pa.array(holes(draw.normal(10, 3, rows).tolist())),
            "pixels": pa.array(draw.normal(size=(rows, 3)).tolist(), pa.list_(pa.float64())),
            "tags": pa.array([list(draw.choice(["a", "b", "c", "d"], draw.integers(0, 4))) for _ in range(rows)]),
            "day": pa.array([f"2026-11-{1 + index % 3:02d}" for index in range(rows)]),
        }
    )


@dataclass(frozen=True)
class Registered:
    """A registered model, and where its files are.

    Args:
        tracker: The registry.
        version: The model's version, which is champion.
        folder: Its SavedModel.
        rows: URI of the rows it was made for, as Parquet files.
    """

    tracker: Tracker
    version: ModelVersion
    folder: Path
    rows: str

    @property
    def uri(self) -> str:
        return f"models:/{self.version.name}@champion"

    def expected(self, table: pa.Table) -> dict[str, float]:
        """Scores by key, from the SavedModel called in this process, as check_rows would clean the rows."""
        towns = ["" if text in (None, "?") else text.strip() for text in table["town"].to_pylist()]
        clean = table.set_column(table.column_names.index("town"), "town", pa.array(towns))
        (batch,) = clean.combine_chunks().to_batches()
        call = tf.saved_model.load(str(self.folder)).signatures["serving_default"]
        fields = SCHEMA.subset(set(call.structured_input_signature[1]))
        return dict(zip(table["row"].to_pylist(), call(**raw_tensors(batch, fields))["score"].numpy(), strict=True))


@pytest.fixture(scope="session")
def registered(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Registered:
    """An untrained network, exported and registered as any other."""
    home = tmp_path_factory.mktemp("scoring")
    rows = home / "rows"
    rows.mkdir()
    for part in range(4):
        pq.write_table(
            good_rows().slice(part * ROWS // 4, ROWS // 4), rows / f"part-{part}.parquet", row_group_size=200
        )
    folder, columns = str(home / "version"), stored(CONFIG.columns)
    raw = named_rows(spark.read.parquet(str(rows)), SCHEMA, F.lit(""))
    checked = check_rows(raw, SCHEMA, labelled=False).where(F.col(REASON).isNull())
    statistics = analyze(checked, SCHEMA, folder, needs(CONFIG.columns))
    features = {
        "schema": SCHEMA.to_json(),
        "columns": [describe(column) for column in columns],
        "cardinalities": cardinalities(columns, statistics),
        "statistics": statistics.to_json(),
    }
    version = DatasetVersion(folder, {}, features)
    storage.write_text_atomic(version.features_uri, json.dumps(features))
    tf.keras.utils.set_random_seed(7)
    network = wide_deep.build(CONFIG, version.cardinalities)
    network.set_weights([np.random.default_rng(1).normal(0, 0.3, weight.shape) for weight in network.get_weights()])
    export(RECIPE, version, network, str(home / "model"))
    tracker = Tracker(f"sqlite:///{home}/mlflow.db")
    with tracker.step(RECIPE.name, "train") as run:
        examples = home / "examples.parquet"
        pq.write_table(good_rows(5).select([field.name for field in SCHEMA.fields]), examples)
        found = tracker.register(run.id, "emberline-scoring-test", str(home / "model"), SCHEMA, {}, str(examples))
    tracker.promote(found, None)
    return Registered(tracker, found, home / "model", str(rows))
