"""An evaluated training looked at again: its slices, its page against the champion, and beside another training."""

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from mlflow.tracking import MlflowClient
from pyspark.sql import SparkSession
from sklearn import metrics

from emberline.features.errors import BadInputError
from emberline.pipelines.artifacts.training_folder import open_training
from emberline.pipelines.compare import compare
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.evaluation.result import EvaluateResult, open_evaluation
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.claim import OutputBusyError, claim
from emberline.pipelines.tracking import Tracker

SETTINGS = {"evaluation.slices": "('gender', 'native_country', 'age:30,50')", "evaluation.threshold": "0.4"}


@pytest.fixture(scope="module")
def again(census_run: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The training of the census run as another one, with a run of its own; the first is the champion."""
    client = MlflowClient(census_run.tracking_uri)
    run = client.create_run(client.get_run(census_run.summary["run_id"]).info.experiment_id, run_name="again")
    training = tmp_path_factory.mktemp("again") / "training"
    shutil.copytree(census_run.summary["training"].removeprefix("file://"), training)
    state = json.loads((training / "training.json").read_text())
    state["result"] |= {"run_id": run.info.run_id, "training": str(training)}
    (training / "training.json").write_text(json.dumps(state))
    return str(training)


@pytest.fixture(scope="module")
def sliced(spark: SparkSession, census_run: Any, again: str) -> EvaluateResult:
    """It evaluated with slices, and another threshold."""
    recipe, tracker = load_recipe("census_wide_deep", SETTINGS), Tracker(census_run.tracking_uri)
    return evaluate(spark, recipe, again, tracker, overwrite=True)


def test_of_two_evaluations_the_second_ends(spark: SparkSession, census_run: Any, again: str) -> None:
    recipe, tracker = load_recipe("census_wide_deep"), Tracker(census_run.tracking_uri)
    with claim(f"{again}/evaluate"), pytest.raises(OutputBusyError, match="Another process writes"):
        evaluate(spark, recipe, again, tracker, overwrite=True)


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
    assert open_evaluation(sliced.training) == sliced
    run, tracker = open_training(sliced.training).run_id, Tracker(census_run.tracking_uri)
    files = {item.path for item in MlflowClient(census_run.tracking_uri).list_artifacts(run)}
    assert {"evaluation.html", "evaluation.json"} <= files
    assert tracker.read_json(run, "evaluation.json")["slices"] == sliced.slices
    assert tracker.read_run(run).metrics["test_brier"] == pytest.approx(sliced.metrics["brier"])
    assert tracker.read_json(run, "nothing.json") is None


def test_the_page_shows_the_champion_beside_it(sliced: EvaluateResult, census_run: Any) -> None:
    page = (Path(sliced.training) / "evaluation.html").read_text()
    for text in ("this model", "champion, version 1", census_run.summary["run_id"], "Female", "Cuba", "rarer values"):
        assert text in page, text
    assert "other rows" not in page, "both were evaluated on the same"
    first = Path(census_run.summary["training"].removeprefix("file://")) / "evaluation.html"
    assert "champion" not in first.read_text(), "there was none yet"


def test_side_by_side(sliced: EvaluateResult, census_run: Any, emberline: Any, tmp_path: Path) -> None:
    """The folder of one training, and the run of the other."""
    run, page = census_run.summary["run_id"], tmp_path / "side.html"
    finished = emberline("compare", sliced.training, run, "--output", page, "--tracking-uri", census_run.tracking_uri)
    assert finished.code == 0, finished.stderr
    found = finished.result
    mine, its = found["runs"]
    assert its == f"census_wide_deep {run[:8]}"
    assert found["metrics"]["auc"] == pytest.approx([sliced.metrics["auc"]] * 2)
    accuracy = found["metrics"]["accuracy"]
    assert accuracy == [sliced.metrics["accuracy"], census_run.summary["metrics"]["accuracy"]]
    assert found["best"]["accuracy"] == [mine if accuracy[0] > accuracy[1] else its]
    assert found["differing"] == {}
    assert f"{accuracy[0]:.4f}" in finished.stderr
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
        content = json.loads((Path(sliced.training) / name).read_text())
        content |= {"metrics": {"rmse": 1.0, "rows": 3.0}} if name == "evaluation.json" else {}
        (other / name).write_text(json.dumps(content))
    with pytest.raises(BadInputError, match="no metric in common"):
        compare([sliced.training, str(other)], tracker)
