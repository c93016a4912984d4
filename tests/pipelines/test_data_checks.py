"""etl holds its data against expectations: before anything is transformed, with a page about it afterwards."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.validation.anomalies import AnomalyError
from emberline.features.validation.expectations import Limits
from emberline.pipelines.etl import EtlResult, etl
from emberline.pipelines.recipes import load_recipe

RECIPE = load_recipe("census_linear")


@pytest.fixture(scope="module")
def first(spark: SparkSession, census_slice: Path, tmp_path_factory: pytest.TempPathFactory) -> EtlResult:
    return etl(spark, RECIPE, str(census_slice), str(tmp_path_factory.mktemp("versions") / "v1"))


@pytest.fixture(scope="module")
def shifted(census_slice: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another day's files: four of five women are gone."""
    folder = tmp_path_factory.mktemp("shifted")
    for name in ("adult.data", "adult.test"):
        lines = (census_slice / name).read_text().splitlines()
        kept = [line for index, line in enumerate(lines) if ", Female," not in line or index % 5 == 0]
        (folder / name).write_text("\n".join(kept) + "\n")
    return folder


def test_the_version_holds_a_page_and_its_anomalies(first: EtlResult) -> None:
    manifest = json.loads(Path(first.dataset, "manifest.json").read_text())
    assert manifest["anomalies"] == []
    page = Path(first.dataset, "profile.html").read_text()
    assert all(text in page for text in ("census_linear", first.digest[:12], "workclass", "is not an integer"))
    assert "no previous version" in page


def test_drift_warns_and_the_page_shows_it(
    spark: SparkSession, first: EtlResult, shifted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = load_recipe("census_linear", {"expectations.limits.drift": "0.05"})
    second = etl(spark, recipe, str(shifted), str(tmp_path / "v2"), previous=first.dataset)
    found = {anomaly.field: anomaly for anomaly in second.anomalies}
    assert {"relationship", "marital_status"} <= found.keys()
    assert {anomaly.kind for anomaly in second.anomalies} <= {"drift", "label_drift"}
    said = capsys.readouterr().err
    assert "warning: relationship (train): L-infinity 0." in said
    page = (tmp_path / "v2" / "profile.html").read_text()
    assert first.digest[:12] in page
    assert "previous" in page


def test_what_stops_leaves_nothing_behind(spark: SparkSession, first: EtlResult, shifted: Path, tmp_path: Path) -> None:
    recipe = load_recipe("census_linear", {"expectations.limits.drift": "0.05", "expectations.stop": "drift"})
    with pytest.raises(AnomalyError, match=r"(?s)stop +drift .*relationship \(train\): L-infinity.*--set expectations"):
        etl(spark, recipe, str(shifted), str(tmp_path / "v2"), previous=first.dataset)
    assert not list(tmp_path.iterdir())


def test_a_replaced_version_is_the_previous_one(
    spark: SparkSession, census_slice: Path, shifted: Path, tmp_path: Path
) -> None:
    target = str(tmp_path / "v")
    etl(spark, RECIPE, str(shifted), target)
    again = etl(spark, load_recipe("census_linear", {"expectations.limits.drift": "0.05"}), str(census_slice), target,
                overwrite=True)  # fmt: skip
    assert "relationship" in {anomaly.field for anomaly in again.anomalies}


def test_the_job_ends_with_two_and_names_every_anomaly(
    census_slice: Path, tmp_path: Path, emberline: Callable[..., Any]
) -> None:
    lines = (census_slice / "adult.data").read_text().splitlines()
    broken = [("old" + line[2:]) if index % 3 == 0 else line for index, line in enumerate(lines)]
    raw = tmp_path / "raw"
    raw.mkdir()
    (raw / "adult.data").write_text("\n".join(broken) + "\n")
    (raw / "adult.test").write_text((census_slice / "adult.test").read_text())
    done = emberline(
        "etl", "--pipeline", "census_linear", "--input", raw, "--output", tmp_path / "out", "--master", "local[2]"
    )
    assert done.code == 2, done.stderr[-2000:]
    assert "stop     type          age (train): 2,0" in done.stderr
    assert "are not integers (33.4%); expected at most 5.0%" in done.stderr
    assert "stop     rejected      train: 2,0" in done.stderr
    assert done.result["kind"] == "AnomalyError"
    assert not (tmp_path / "out").exists()


def test_expectations_are_set_like_everything_else() -> None:
    recipe = load_recipe("census_linear", {"expectations.stop": "()", "expectations.rejected": "0.5"})
    assert (recipe.expectations.stop, recipe.expectations.rejected) == ((), 0.5)
    assert recipe.to_json()["expectations"]["limits"]["drift"] == Limits().drift
    with pytest.raises(BadInputError, match=r"--set expectations.stop=drif: .*Did you mean 'drift'"):
        load_recipe("census_linear", {"expectations.stop": "drif"})
    with pytest.raises(BadInputError, match=r"Unknown key 'age' in --set expectations.fields.age.drift"):
        load_recipe("census_linear", {"expectations.fields.age.drift": "0.5"})
