"""Recipes of sounds, series and drawings from files to predictions, each on a small slice through its own command."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest

from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.audio import speech_commands, spoken_digits
from emberline.pipelines.datasets.images import drawings
from emberline.pipelines.datasets.tabular import sine
from emberline.pipelines.recipes import load_recipe

pytestmark = pytest.mark.slow

SMALLER = {
    "spoken_digits_lstm": {(spoken_digits, "TAKES"): 12},
    "speech_commands_conv": {(speech_commands, "SPEAKERS"): 12},
    "speech_commands_low_latency": {(speech_commands, "SPEAKERS"): 12},
    "sine_lstm": {(sine, "TRAIN"): 600, (sine, "TEST"): 100},
    "drawings_conv_lstm": {(drawings, "DRAWINGS"): 25},
}
SOUNDS = ("spoken_digits_lstm", "speech_commands_conv", "speech_commands_low_latency")


@pytest.mark.parametrize("name", SMALLER)
def test_it_runs_from_files_to_predictions(
    name: str, tmp_path: Path, emberline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for (module, constant), value in SMALLER[name].items():
        monkeypatch.setattr(module, constant, value)
    raw, recipe = tmp_path / "raw", load_recipe(name)
    load_dataset(recipe.dataset).generate(str(raw), seed=1)
    (raw / "synthetic.json").unlink()  # a small one says nothing about the best score
    limit = "10" if recipe.gate.metric == "rmse" else "0"
    finished = emberline(
        "run", name, "--input", raw, "--workspace", tmp_path / "workspace", "--master", "local[2]",
        "--set", "training.epochs=1", "--set", f"gate.limit={limit}",
    )  # fmt: skip
    assert finished.code == 0, finished.stderr[-4000:]
    summary = finished.result
    assert summary["rows_rejected"] == 0
    assert summary["model"]["alias"] == "champion"
    assert np.isfinite(summary["metrics"][recipe.gate.metric])
    predictions = pq.read_table(Path(summary["predictions"].removeprefix("file://"))).to_pylist()
    assert len(predictions) == summary["rows_scored"] >= sum(summary["records"].values()) * 0.8
    if name in SOUNDS:
        check_the_exported_model(summary, raw, {row["path"]: row["probabilities"] for row in predictions})


def check_the_exported_model(summary: dict[str, Any], raw: Path, known: dict[str, list[float]]) -> None:
    """Files in, classes out: by plain TensorFlow, and by MLflow, which asks for nothing but the sound."""
    import pandas as pd
    import tensorflow as tf

    names = sorted(known)[:: max(1, len(known) // 20)]
    files = [(raw / file).read_bytes() for file in names]
    expected = [known[file] for file in names]
    model = Path(summary["training"].removeprefix("file://")) / "model"
    signature = tf.saved_model.load(str(model)).signatures["serving_default"]
    assert list(signature.structured_input_signature[1]) == ["sound"]
    np.testing.assert_allclose(signature(sound=tf.constant(files))["probabilities"], expected, atol=1e-3)
    mlflow.set_tracking_uri(summary["tracking_uri"])
    mlflow.set_registry_uri(summary["tracking_uri"])
    loaded = mlflow.pyfunc.load_model(f"models:/{summary['model']['name']}/1")
    assert [(column.name, str(column.type)) for column in loaded.metadata.signature.inputs] == [
        ("sound", "DataType.binary")
    ]
    said = loaded.predict(pd.DataFrame({"sound": files}))
    np.testing.assert_allclose(np.stack(list(said["probabilities"])), expected, atol=1e-3)
