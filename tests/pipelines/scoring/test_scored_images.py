"""A model of images where it is used: in an executor's hands, in the registry, and in MLflow's own."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture

from emberline.features.columns import cardinalities, describe, sized
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics
from emberline.pipelines.datasets.digits.digits import SCHEMA
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.saved_model.signature import open_signature
from emberline.pipelines.scoring import scorer
from emberline.pipelines.scoring.arrow_checks import check_batch
from emberline.pipelines.scoring.side_files import ASIDE
from emberline.pipelines.tasks import task_of
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.training.export import export

RECIPE = load_recipe("digits_mlp")


@pytest.fixture(scope="module")
def schema() -> Schema:
    return sized(RECIPE.stored_columns, SCHEMA)


@pytest.fixture(scope="module")
def model(schema: Schema, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The network with its first weights, exported."""
    home = tmp_path_factory.mktemp("images")
    features = {
        "schema": schema.to_json(),
        "columns": [describe(column) for column in RECIPE.stored_columns],
        "cardinalities": cardinalities(RECIPE.stored_columns, Statistics(0)),
        "statistics": Statistics(0, (0,) * 10).to_json(),
    }
    (home / "features.json").write_text(json.dumps(features))
    version = DatasetVersion(str(home), {}, features)
    export(RECIPE, version, RECIPE.model_module.build(RECIPE.model, {}), str(home / "model"))
    return home / "model"


@pytest.fixture(scope="module")
def pixels() -> list[bytes]:
    return [image.tobytes() for image in np.random.default_rng(1).integers(0, 256, (12, 8, 8), dtype=np.uint8)]


@pytest.fixture(scope="module")
def expected(model: Path, pixels: list[bytes]) -> np.ndarray:
    import tensorflow as tf

    stored = np.frombuffer(b"".join(pixels), np.uint8).reshape(-1, 8, 8, 1)
    call = tf.saved_model.load(str(model)).signatures["serve_transformed"]
    return call(image=tf.constant(stored))["probabilities"].numpy()


def png(image: bytes) -> bytes:
    sink = io.BytesIO()
    Picture.fromarray(np.frombuffer(image, np.uint8).reshape(8, 8)).save(sink, "PNG")
    return sink.getvalue()


def test_an_executor_scores_files_and_pixels_and_puts_the_rest_aside(
    schema: Schema, model: Path, pixels: list[bytes], expected: np.ndarray, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(scorer, "load", lambda archive, names, threads: open_signature(archive, names))
    images: list[bytes | None] = [png(image) if index % 2 else image for index, image in enumerate(pixels)]
    images[3:3] = [b"no image", None]
    rows = pa.record_batch({"row": [str(n) for n in range(14)], "image": pa.array(images, pa.binary())})
    score = scorer.Scorer(
        schema=schema,
        predicted=task_of(schema.label).columns,
        archive=str(model),
        carried=(("row", pa.string()),),
        checked=False,
        batch_rows=5,
        side=str(tmp_path),
        sampled=100,
    )
    found = pa.Table.from_batches(list(score([rows])))
    assert found.column("row").to_pylist() == [str(n) for n in range(14) if n not in (3, 4)]
    np.testing.assert_allclose(np.array(found.column("probabilities").to_pylist()), expected, atol=1e-6)
    aside = pq.read_table(tmp_path / ASIDE).to_pylist()
    assert [(row["row"], row["image"]) for row in aside] == [("3", b"no image"), ("4", None)]
    assert not (tmp_path / "sample").exists(), "images are not compared"
    bare = pa.record_batch({"row": [str(n) for n in range(12)], "image": pa.array(pixels, pa.binary())})
    found = pa.Table.from_batches(list(score([bare.slice(1)])))
    np.testing.assert_allclose(np.array(found.column("probabilities").to_pylist()), expected[1:], atol=1e-6)


def test_a_file_as_long_as_pixels_is_no_picture_of_pixels(schema: Schema, pixels: list[bytes]) -> None:
    broken = b"\x89PNG\r\n\x1a\n".ljust(64, b"\0")
    for images, expected in (([*pixels[:2], broken], [True, True, False]), ([*pixels[:2], None], [True, True, False])):
        rows = pa.record_batch({"row": ["a", "b", "c"], "image": pa.array(images, pa.binary())})
        checked, accepted = check_batch(rows, schema)
        assert accepted is not None
        assert accepted.tolist() == expected
        assert checked["image"].to_pylist()[:2] == pixels[:2]


@pytest.mark.slow
def test_mlflow_alone_takes_bytes(
    schema: Schema, model: Path, pixels: list[bytes], expected: np.ndarray, tmp_path: Path
) -> None:
    import mlflow

    examples = tmp_path / "examples.parquet"
    pq.write_table(pa.table({"image": pa.array(pixels[:2], pa.binary())}), examples)
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    with tracker.step("digits_mlp", "train") as run:
        registered = tracker.register(run.id, "emberline-digits", str(model), schema, {}, str(examples))
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_registry_uri(f"sqlite:///{tmp_path}/mlflow.db")
    loaded = mlflow.pyfunc.load_model(f"models:/emberline-digits/{registered.version}")
    assert [str(column.type) for column in loaded.metadata.signature.inputs] == ["DataType.binary"]
    predicted = loaded.predict(pd.DataFrame({"image": [png(image) for image in pixels]}))
    np.testing.assert_allclose(np.stack(predicted["probabilities"]), expected, atol=1e-6)
