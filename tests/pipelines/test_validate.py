"""`validate` sees raw data as `etl` does, makes no dataset version, and leaves a report behind whatever it found."""

import json
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.validation.anomalies import AnomalyError
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.validate import validate_data

RECIPE = load_recipe("census_linear")


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(f"sqlite:///{tmp_path}/mlflow.db")


def report_at(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def test_it_finds_what_etl_finds(spark: SparkSession, census_slice: Path, tmp_path: Path, tracker: Tracker) -> None:
    found = validate_data(spark, RECIPE, str(census_slice), str(tmp_path / "report"), tracker)
    made = etl(spark, RECIPE, str(census_slice), str(tmp_path / "version"))
    assert (found.rows_read, found.rows_rejected) == (made.rows_read, made.rows_rejected) == (8000, 3)
    assert (found.reasons, found.anomalies) == (made.reasons, made.anomalies)
    assert report_at(tmp_path / "report")["accepted"]
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"report.json", "profile.html", "rejected"}
    assert "workclass" in (tmp_path / "report" / "profile.html").read_text()
    assert spark.read.parquet(str(tmp_path / "report" / "rejected")).count() == 3
    client = MlflowClient(tracker.uri)
    (run,) = client.search_runs([client.get_experiment_by_name("emberline/census_linear").experiment_id])
    assert (run.data.tags["emberline.step"], run.data.metrics["rows_rejected"]) == ("validate", 3)
    assert {file.path for file in client.list_artifacts(run.info.run_id)} >= {"report.json", "profile.html"}
    with pytest.raises(BadInputError, match=r"already exists\. Pass --overwrite"):
        validate_data(spark, RECIPE, str(census_slice), str(tmp_path / "report"), tracker)


def test_bad_data_is_refused_in_one_line_and_its_report_is_there(
    spark: SparkSession, census_slice: Path, tmp_path: Path, tracker: Tracker
) -> None:
    (tmp_path / "raw").mkdir()
    lines = (census_slice / "adult.data").read_text().splitlines()
    broken = [("old" + line[2:]) if index % 3 == 0 else line for index, line in enumerate(lines)]
    (tmp_path / "raw" / "adult.data").write_text("\n".join(broken) + "\n")
    (tmp_path / "raw" / "adult.test").write_text((census_slice / "adult.test").read_text())
    with pytest.raises(AnomalyError) as refused:
        validate_data(spark, RECIPE, str(tmp_path / "raw"), str(tmp_path / "report"), tracker)
    said = str(refused.value)
    assert "\n" not in said
    assert all(part in said for part in ("type age: 2,0", "rejected train: 2,0", "profile.html"))
    report = report_at(tmp_path / "report")
    assert (report["accepted"], report["refused"]) == (False, said)
    assert {anomaly["kind"] for anomaly in report["anomalies"]} >= {"type", "rejected"}
    assert (tmp_path / "report" / "profile.html").exists()


def test_data_without_a_good_row_has_a_report_too(spark: SparkSession, tmp_path: Path, tracker: Tracker) -> None:
    (tmp_path / "raw").mkdir()
    for name in ("adult.data", "adult.test"):
        (tmp_path / "raw" / name).write_text("39, State-gov, 77516\n" * 4)
    with pytest.raises(BadInputError, match=r"All 4 rows of the train split were rejected"):
        validate_data(spark, RECIPE, str(tmp_path / "raw"), str(tmp_path / "report"), tracker)
    report = report_at(tmp_path / "report")
    assert (report["rows_read"], report["rows_rejected"], report["accepted"]) == (8, 8, False)
    with pytest.raises(BadInputError, match="No input at"):
        validate_data(spark, RECIPE, str(tmp_path / "none"), str(tmp_path / "report"), tracker, overwrite=True)
    assert report_at(tmp_path / "report") == report, "what was there stays until there is another"
