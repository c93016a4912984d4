"""An evaluated training looked at again: its slices, its page against the champion, and beside another training."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from pyspark.sql import SparkSession
from sklearn import metrics

from features.errors import BadInputError
from pipelines.compare import compare
from pipelines.evaluate import evaluate
from pipelines.evaluation.result import EvaluateResult, open_evaluation
from pipelines.recipe import load_recipe
from pipelines.tracking import Tracker

SETTINGS = {"evaluation.slices": "('gender', 'native_country', 'age:30,50')", "evaluation.threshold": "0.4"}


@pytest.fixture(scope="module")
def sliced(spark: SparkSession, census_run: Any) -> EvaluateResult:
    """The training of the census run, evaluated again with slices."""
    recipe, tracker = load_recipe("census_wide_deep", SETTINGS), Tracker(census_run.tracking_uri)
    return evaluate(spark, recipe, census_run.summary["training"], tracker, overwrite=True)


def test_slices_are_what_scikit_learn_counts(sliced: EvaluateResult) -> None:
    rows = pq.read_table(sliced.scores).to_pandas()
    assert len(rows) == sliced.metrics["rows"] == 1999
    assert set(sliced.slices) == {"gender", "native_country", "age"}
    assert set(sliced.slices["age"]) == {"below 30", "30 to 50", "50 and more"}
    for value, found in sliced.slices["gender"].items():
        members = rows[rows.slice_gender == value]
        assert found["rows"] == len(members)
        assert found["auc"] == pytest.approx(metrics.roc_auc_score(members.income_bracket, members.score))
        assert found["f1"] == pytest.approx(metrics.f1_score(members.income_bracket, members.score > 0.4))
    listed = sliced.slices["native_country"]
    assert len(listed) == 20
    left_out = sliced.details["slices_left_out"]["native_country"]
    assert sum(found["rows"] for found in listed.values()) + left_out["rows"] == 1999
    assert rows.slice_native_country.nunique() == 20 + left_out["values"]


def test_the_whole_is_what_it_was_without_slices(sliced: EvaluateResult, census_run: Any) -> None:
    for name in ("auc", "pr_auc", "log_loss", "brier", "rows"):
        assert sliced.metrics[name] == pytest.approx(census_run.summary["metrics"][name]), name


def test_it_is_kept_and_tracked(sliced: EvaluateResult, census_run: Any) -> None:
    training = sliced.training.removeprefix("file://")
    assert open_evaluation(sliced.training) == sliced
    page = (Path(training) / "evaluation.html").read_text()
    assert "Slices" in page
    assert "Female" in page
    client = MlflowClient(census_run.tracking_uri)
    run = client.get_run(census_run.summary["run_id"])
    assert {"evaluation.html", "evaluation.json"} <= {item.path for item in client.list_artifacts(run.info.run_id)}
    assert Tracker(census_run.tracking_uri).read_json(run.info.run_id, "evaluation.json")["slices"] == sliced.slices


def test_side_by_side(sliced: EvaluateResult, census_run: Any, emberline: Any, tmp_path: Path) -> None:
    """A training's folder, and its run in MLflow, are the same evaluation."""
    run, page = census_run.summary["run_id"], tmp_path / "side.html"
    finished = emberline("compare", sliced.training, run, "--output", page, "--tracking-uri", census_run.tracking_uri)
    assert finished.code == 0, finished.stderr
    assert finished.result["metrics"]["auc"] == [sliced.metrics["auc"]] * 2
    assert finished.result["best"] == {}
    assert finished.result["differing"] == {}
    assert finished.result["runs"] == [f"census_wide_deep {run[:8]} (1)", f"census_wide_deep {run[:8]} (2)"]
    assert f"{sliced.metrics['auc']:.4f}" in finished.stderr
    assert "</html>" in page.read_text()


def test_what_cannot_be_compared(sliced: EvaluateResult, census_run: Any, tmp_path: Path) -> None:
    tracker = Tracker(census_run.tracking_uri)
    with pytest.raises(BadInputError, match="expected two or more"):
        compare([sliced.training], tracker)
    with pytest.raises(BadInputError, match="No run 'nonsense'"):
        compare([sliced.training, "nonsense"], tracker)
    other = tmp_path / "other"
    other.mkdir()
    for name in ("training.json", "evaluation.json"):
        content = json.loads((Path(sliced.training.removeprefix("file://")) / name).read_text())
        content |= {"metrics": {"rmse": 1.0, "rows": 3.0}} if name == "evaluation.json" else {}
        (other / name).write_text(json.dumps(content))
    with pytest.raises(BadInputError, match="no metric in common"):
        compare([sliced.training, str(other)], tracker)
