"""A logged model of bytes, loaded by MLflow alone."""

import json
from pathlib import Path

import mlflow
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from emberline.features.names import safe_name
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.tracking import flavor

SCHEMA = Schema((Field("sound", "sound"), Field("level", "float")), Label("loud", (("0",), ("1",))), "path")


def test_bytes_arrive_whole(tmp_path: Path) -> None:
    """Zeros at the end are silence, or a black corner: they belong to the file."""
    module = tf.Module()

    def score(sound: tf.Tensor, level: tf.Tensor) -> dict[str, tf.Tensor]:
        length = tf.cast(tf.strings.length(sound), tf.float32)
        return {"score": length + level, "class": tf.strings.substr(sound, 0, 1)}

    wanted = {"sound": tf.TensorSpec([None], tf.string), "level": tf.TensorSpec([None], tf.float32)}
    call = tf.function(score).get_concrete_function(**wanted)
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures={"serving_default": call})
    files = [b"a\x00\x00", b"b\x00", b""]
    pq.write_table(pa.table({"sound": files[:1], "level": [1.0]}), tmp_path / "examples.parquet")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.create_experiment("bytes", f"file://{tmp_path}/artifacts")
    mlflow.set_experiment("bytes")
    with mlflow.start_run() as run:
        examples = str(tmp_path / "examples.parquet")
        logged = flavor.log(str(tmp_path / "saved"), SCHEMA, run.info.run_id, examples)
    said = mlflow.pyfunc.load_model(logged.model_uri).predict(pd.DataFrame({"sound": files, "level": [0.5, 0.5, 0.5]}))
    assert said["score"].tolist() == [3.5, 2.5, 0.5]
    assert said["class"].tolist() == [b"a", b"b", b""]


@pytest.mark.parametrize("name", ["level", "fixed acidity"])
def test_what_is_noted_of_the_code_is_what_travels(tmp_path: Path, name: str) -> None:
    """Of bytes and of names that a graph does not take, a loader of ours goes along; of others none."""
    schema = Schema((Field(name, "float"),), Label("loud", (("0",), ("1",))), "row")
    inner = safe_name(name)
    call = tf.function(lambda **given: {"score": 2 * given[inner]}).get_concrete_function(
        **{inner: tf.TensorSpec([None], tf.float64)}
    )
    tf.saved_model.save(tf.Module(), str(tmp_path / "saved"), signatures={"serving_default": call})
    (tmp_path / "saved" / "features.json").write_text(json.dumps({"renamed_inputs": {name: inner}}))
    pq.write_table(pa.table({name: [1.0]}), tmp_path / "examples.parquet")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.create_experiment("names", f"file://{tmp_path}/artifacts")
    mlflow.set_experiment("names")
    with mlflow.start_run() as run:
        logged = flavor.log(str(tmp_path / "saved"), schema, run.info.run_id, str(tmp_path / "examples.parquet"))
    folder = mlflow.artifacts.download_artifacts(artifact_uri=logged.model_uri, dst_path=str(tmp_path / "fetched"))
    flavor.require_loader(folder, flavor.loader_digest(schema), "m")
    said = mlflow.pyfunc.load_model(logged.model_uri).predict(pd.DataFrame({name: [0.5, 2.0]}))
    assert list(said["score"]) == [1.0, 4.0]
