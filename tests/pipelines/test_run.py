"""The whole pipeline through its own command, on a real local cluster: what it promises, looked at from outside."""

import hashlib
import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient

from emberline.pipelines.tracking import CHAMPION, Tracker

MODEL = "emberline-census_wide_deep"


def folder(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_the_last_line_is_the_summary(census_run) -> None:
    summary = census_run.summary
    assert summary["rows_read"] == 8000
    assert summary["rows_rejected"] == 3
    assert summary["records"] == {"train": 5998, "eval": 1999}
    assert summary["rows_scored"] == 7998, "scoring needs no label, so the row with a bad one is scored"
    assert summary["steps"] == 3 * (5998 // 128)
    assert 0.75 < summary["metrics"]["accuracy"] < 0.9
    assert 0.85 < summary["metrics"]["auc"] < 0.95
    assert summary["model"] | {"verdict": ""} == {
        "name": MODEL, "version": 1, "alias": CHAMPION, "champion": 1, "verdict": "",
    }  # fmt: skip
    assert set(summary["seconds"]) == {"etl", "train", "evaluate", "register", "score"}
    assert summary["synthetic"] is None


def test_people_see_progress_and_a_table(census_run) -> None:
    seen = census_run.finished.stderr
    for text in (
        "epoch 1/3",
        "examples/s",
        "rows rejected +3",
        "accuracy",
        "mlflow ui --backend-store-uri",
        "champion",
    ):
        assert re.search(text, seen), text
    assert "synthetic" not in seen


def test_rejected_rows_are_kept_with_their_reasons(census_run) -> None:
    rows = pq.read_table(folder(census_run.summary["dataset"]) / "rejected").to_pylist()
    assert {(row["split"], row["source"]) for row in rows} == {("train", "adult.data"), ("eval", "adult.test")}
    assert sorted(row["reason"] for row in rows) == [
        "age: 'old' is not an integer",
        "expected 15 comma-separated fields, got 12",
        "income_bracket: 'maybe.' is not one of '<=50K', '<=50K.', '>50K', '>50K.'",
    ]
    assert all(row["raw"].count(",") >= 11 for row in rows)


def test_the_dataset_version_is_complete(census_run) -> None:
    dataset = folder(census_run.summary["dataset"])
    manifest = json.loads((dataset / "manifest.json").read_text())
    assert (dataset / "_SUCCESS").exists()
    assert manifest["rows_rejected"] == 3
    assert sum(shard["rows"] for shard in manifest["splits"]["train"]["shards"]) == 5998
    assert not list(dataset.parent.glob("*.staging*"))
    assert not list(dataset.rglob("attempt-*"))
    for split in ("train", "eval"):
        listed = {shard["path"] for shard in manifest["splits"][split]["shards"]}
        assert {file.name for file in (dataset / split).iterdir()} == listed


def test_one_training_is_one_run(census_run) -> None:
    client = MlflowClient(census_run.tracking_uri)
    experiment = client.get_experiment_by_name("emberline/census_wide_deep")
    assert experiment
    mine = f"tags.`emberline.training` = '{census_run.summary['training']}'"  # other tests share the store
    (run,) = client.search_runs([experiment.experiment_id], mine)
    assert run.info.status == "FINISHED"
    assert run.info.run_id == census_run.summary["run_id"]
    assert run.data.params["training.epochs"] == "3"
    assert run.data.metrics["test_auc"] == pytest.approx(census_run.summary["metrics"]["auc"])
    assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == [46, 92, 138]
    assert run.inputs.dataset_inputs[0].dataset.digest == census_run.summary["dataset_digest"][:36]
    files = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"recipe.json", "features.json", "evaluation.json"} <= files


def test_predictions_carry_key_score_class_and_version(census_run, census_slice: Path) -> None:
    table = pq.read_table(folder(census_run.summary["predictions"]))
    assert table.column_names == ["row", "score", "class", "model_version", "scored_at"]
    rows = table.to_pylist()
    lines = [
        line.strip() for name in ("adult.data", "adult.test") for line in (census_slice / name).read_text().splitlines()
    ]
    keys = {hashlib.sha256(line.encode()).hexdigest()[:16] for line in lines if not line.startswith("|")}
    assert {row["row"] for row in rows} <= keys
    assert {row["model_version"] for row in rows} == {1}
    assert all(row["class"] == (row["score"] > 0.5) for row in rows)
    rejected = pq.read_table(folder(census_run.summary["predictions"]) / "_rejected").to_pylist()
    assert len(rejected) == 2


STRANGER = """
    import hashlib, json, sys
    from pathlib import Path

    for ours in ("features", "models", "pipelines", "jobs"):
        sys.modules[ours] = None  # importing any of our code would raise
    import numpy as np
    import pyarrow.parquet as pq
    import tensorflow as tf

    model, raw, scores = sys.argv[1:]
    loaded = tf.saved_model.load(model)
    score = loaded.signatures["serving_default"]
    fields = json.loads((Path(model) / "features.json").read_text())["schema"]["fields"]
    order = ("age workclass fnlwgt education education_num marital_status occupation relationship race gender "
             "capital_gain capital_loss hours_per_week native_country income").split()
    known = {row["row"]: row["score"] for row in pq.read_table(scores).to_pylist()}
    lines = [line.strip() for line in Path(raw).read_text().splitlines() if line and not line.startswith("|")]
    people = [(hashlib.sha256(line.encode()).hexdigest()[:16], dict(zip(order, line.split(", ")))) for line in lines]
    people = [(key, person) for key, person in people if key in known]
    text = {f["name"]: [p[f["name"]] for _, p in people] for f in fields}
    columns = {
        f["name"]: tf.constant([-1 if v == "?" else int(v) for v in text[f["name"]]], tf.int64)
        if f["kind"] == "integer" else tf.constant(["" if v == "?" else v for v in text[f["name"]]])
        for f in fields
    }
    found = score(**columns)["score"].numpy()
    expected = np.array([known[key] for key, _ in people])
    examples = [
        tf.train.Example(features=tf.train.Features(feature={
            n: tf.train.Feature(int64_list=tf.train.Int64List(value=[int(v)])) if v.dtype == tf.int64
            else tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.numpy()]))
            for n, v in ((n, c[i]) for n, c in columns.items())})).SerializeToString()
        for i in range(50)
    ]
    served = loaded.signatures["serve_examples"](examples=tf.constant(examples))["score"].numpy()
    print(json.dumps({"rows": len(people), "skew": float(np.abs(found - expected).max()),
                      "served": float(np.abs(served - found[:50]).max()), "spread": float(expected.std())}))
"""


def test_skew_is_zero(census_run, census_slice: Path, tmp_path: Path) -> None:
    """The registered model on raw files, in a process without our code, gives the evaluation's scores."""
    tracker = Tracker(census_run.tracking_uri)
    model = tracker.fetch(tracker.find(f"models:/{MODEL}@champion"), str(tmp_path))
    scores = folder(census_run.summary["training"]) / "evaluation" / "scores.parquet"
    script = tmp_path / "stranger.py"
    script.write_text(textwrap.dedent(STRANGER))
    done = subprocess.run(
        [sys.executable, str(script), model, str(census_slice / "adult.test"), str(scores)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["rows"] == 1999
    assert found["skew"] <= 1e-6
    assert found["served"] <= 1e-6
    assert found["spread"] > 0.05, "scores that are all alike would prove nothing"


def test_mlflow_alone_loads_the_registered_model(census_run) -> None:
    import mlflow
    import pandas as pd

    mlflow.set_tracking_uri(census_run.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}/1")
    row = {
        "age": 39, "workclass": "State-gov", "education": "Bachelors", "education_num": 13, "hours_per_week": 40,
        "marital_status": "Never-married", "occupation": "Adm-clerical", "relationship": "Not-in-family",
        "capital_gain": 2174, "capital_loss": 0,
    }  # fmt: skip
    scored = model.predict(pd.DataFrame([row, row | {"capital_gain": 99999}]))
    assert 0 < scored["score"][0] < 0.5 < scored["score"][1]
