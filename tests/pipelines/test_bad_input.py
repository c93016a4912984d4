"""Every way a person gets it wrong: the message says what came in, what was expected and what to do; exit codes too."""

import dataclasses
import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from emberline.features.dataset_version import open_version
from emberline.features.errors import BadInputError
from emberline.pipelines.artifacts.training_folder import open_training
from emberline.pipelines.datasets.tabular.census import DATASET
from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.evaluation.result import open_evaluation
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.score import score
from emberline.pipelines.scoring.model import require_columns
from emberline.pipelines.tracking import Tracker, TrackingError
from emberline.pipelines.train import train

RECIPE = load_recipe("census_wide_deep")


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return Tracker(f"sqlite:///{tmp_path}/mlflow.db")


def write(folder: Path, train: str, test: str) -> str:
    folder.mkdir()
    (folder / "adult.data").write_text(train)
    (folder / "adult.test").write_text(test)
    return str(folder)


def test_a_path_that_does_not_exist(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"No input at '.*nowhere.*': the path does not exist"):
        etl(spark, RECIPE, str(tmp_path / "nowhere"), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_an_empty_file(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="holds no file with anything in it"):
        etl(spark, RECIPE, write(tmp_path / "raw", "", ""), str(tmp_path / "out"))


def test_a_file_of_comments_has_no_rows(spark: SparkSession, tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", "|only a comment\n", "|only a comment\n")
    with pytest.raises(BadInputError, match="The train split has no rows"):
        etl(spark, RECIPE, raw, str(tmp_path / "out"))


def test_every_row_rejected(spark: SparkSession, tmp_path: Path) -> None:
    """A file with a column missing: the commonest reason is in the message, nothing is left behind."""
    row = "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, Not-in-family, White, Male, 2174, 0, 40\n"
    with pytest.raises(BadInputError, match=r"All 5 rows of the train split were rejected.*got 13 \(5 rows\)"):
        etl(spark, RECIPE, write(tmp_path / "raw", row * 5, row), str(tmp_path / "out"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["raw"]


def test_a_misspelt_column_of_a_table(spark: SparkSession, tmp_path: Path, census: Path) -> None:
    table = DATASET.read(spark, str(census), "eval").drop("_raw", "_source", "_fault").limit(20)
    for name in ("adult.data", "adult.test"):
        table.withColumnRenamed("occupation", "ocupation").write.parquet(str(tmp_path / "raw" / name))
    with pytest.raises(BadInputError, match=r"Column 'occupation' is missing. Did you mean 'ocupation'"):
        etl(spark, RECIPE, str(tmp_path / "raw"), str(tmp_path / "out"))


def test_an_output_that_already_exists(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(BadInputError, match=r"already exists\. Pass --overwrite"):
        etl(spark, RECIPE, str(tmp_path / "raw"), str(tmp_path / "out"))


def test_outputs_never_eat_inputs(spark: SparkSession, census_run, tmp_path: Path, tracker: Tracker) -> None:
    """Each of these once deleted what it was to read."""
    raw = tmp_path / "data" / "raw"
    raw.mkdir(parents=True)
    (raw / "adult.data").write_text("39, State-gov\n")
    (tmp_path / "data" / "diary.txt").write_text("dear diary")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for output in (tmp_path / "data", raw, raw / "adult.data", raw / "new"):
        with pytest.raises(BadInputError, match="which is read, so writing it would destroy that"):
            etl(spark, RECIPE, str(raw), str(output), overwrite=True)
        with pytest.raises(BadInputError, match="which is read"):
            score(spark, RECIPE, "models:/any/1", str(raw), str(output), tracker, overwrite=True)
    with pytest.raises(BadInputError, match="is a file, which is never replaced"):
        etl(spark, RECIPE, str(raw), str(tmp_path / "data" / "diary.txt"), overwrite=True)
    dataset, trained = census_run.summary["dataset"], census_run.summary["training"]
    kept = {path: path.read_bytes() for path in Path(dataset.removeprefix("file://")).rglob("*") if path.is_file()}
    for output in (dataset.rpartition("/")[0], dataset, f"{dataset}/below"):
        with pytest.raises(BadInputError, match=r"--dataset .* which is read"):
            train(spark, RECIPE, dataset, output, tracker, overwrite=True)
    with pytest.raises(BadInputError, match=r"--warm-start .* which is read"):
        train(spark, RECIPE, dataset, trained, tracker, overwrite=True, warm_start=trained)
    with pytest.raises(BadInputError, match="is no training"):
        train(spark, RECIPE, dataset, str(tmp_path / "data"), tracker, overwrite=True)
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {
        path: path.read_bytes() for path in Path(dataset.removeprefix("file://")).rglob("*") if path.is_file()
    }


def test_a_dataset_version_without_success(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"No dataset version at .* Run etl"):
        open_version(str(tmp_path / "nowhere"))
    with pytest.raises(BadInputError, match=r"not a complete dataset version: it has no _SUCCESS.*--overwrite"):
        open_version(str(tmp_path))
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / "manifest.json").write_text('{"format": "other/9"}')
    with pytest.raises(BadInputError, match="has the format 'other/9'"):
        open_version(str(tmp_path))


def test_a_dataset_version_of_other_columns(spark: SparkSession, census_run, tmp_path: Path, tracker: Tracker) -> None:
    with pytest.raises(
        BadInputError, match=r"does not hold the columns that recipe 'census_best' asks for: .*capital_gain"
    ):
        train(spark, load_recipe("census_best"), census_run.summary["dataset"], str(tmp_path / "t"), tracker)


def test_a_cluster_that_is_too_small(spark: SparkSession, census_run, tmp_path: Path, tracker: Tracker) -> None:
    recipe = load_recipe("census_wide_deep", {"training.workers": "4"})
    with pytest.raises(
        BadInputError,
        match=r"needs 4 slots \(one per worker\), and local\[2, 3\] has 1 executor of 2 cores .* 2 slots.*workers=2",
    ):
        train(spark, recipe, census_run.summary["dataset"], str(tmp_path / "t"), tracker)


def test_a_batch_larger_than_the_data(spark: SparkSession, census_run, tmp_path: Path, tracker: Tracker) -> None:
    recipe = load_recipe("census_wide_deep", {"training.global_batch": "100000"})
    with pytest.raises(BadInputError, match=r"has 5,998 rows, fewer than training.global_batch=100,000"):
        train(spark, recipe, census_run.summary["dataset"], str(tmp_path / "t"), tracker)


def test_steps_out_of_order(spark: SparkSession, census_run, tmp_path: Path, tracker: Tracker) -> None:
    training = census_run.summary["training"]
    with pytest.raises(BadInputError, match=r"No training at .* Run train"):
        open_training(str(tmp_path))
    with pytest.raises(BadInputError, match=r"was not evaluated. Run evaluate first"):
        open_evaluation(str(tmp_path))
    with pytest.raises(BadInputError, match=r"was evaluated already. Pass --overwrite"):
        evaluate(spark, RECIPE, training, tracker)
    with pytest.raises(BadInputError, match="already holds a finished training"):
        train(spark, RECIPE, census_run.summary["dataset"], training, tracker)


def test_an_unfinished_training_of_other_settings(
    spark: SparkSession, census_run, tmp_path: Path, tracker: Tracker
) -> None:
    state = json.loads(Path(census_run.summary["training"].removeprefix("file://"), "training.json").read_text())
    (tmp_path / "training.json").write_text(json.dumps(state | {"finished": False}))
    with pytest.raises(BadInputError, match="other settings or data than this one"):
        train(spark, RECIPE, census_run.summary["dataset"], str(tmp_path), tracker)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("census", "Not a model: 'census'. Expected models:/NAME@alias"),
        ("models:/emberline-x@champion", "No alias 'champion' of model 'emberline-x'.*Nothing is registered there yet"),
        ("models:/emberline-x/3", "No version 3 of model 'emberline-x'"),
        ("models:/emberline-x/latest", "Not a model version"),
    ],
)
def test_a_model_that_is_not_there(
    spark: SparkSession, census_slice: Path, tmp_path: Path, tracker: Tracker, model: str, message: str
) -> None:
    with pytest.raises(BadInputError, match=message):
        score(spark, RECIPE, model, str(census_slice), str(tmp_path / "out"), tracker)


def test_a_model_that_does_not_fit_the_rows() -> None:
    first, second, *others = DATASET.schema.fields
    fields = (dataclasses.replace(first, kind="string"), dataclasses.replace(second, name="workclas"), *others)
    expected = (
        r"model m version 1 does not fit the rows: it wants 'age' as string, the rows have integer; "
        r"it wants column 'workclas', which the rows lack. Did you mean 'workclass'"
    )
    with pytest.raises(BadInputError, match=expected):
        require_columns(dataclasses.replace(DATASET.schema, fields=fields), DATASET.schema, "m version 1")


def test_an_unreachable_mlflow_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # MLflow sets it; later tests must not inherit it
    with pytest.raises(TrackingError, match=r"MLflow at http://127.0.0.1:9 does not answer.*--tracking-uri"):
        Tracker("http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["run", "census_wide_dep"], 2, "Unknown recipe 'census_wide_dep'. Did you mean 'census_wide_deep'"),
        (["run", "census_linear", "--set", "training.epoch=1"], 2, "Did you mean 'epochs'"),
        (["run", "census_linear", "--input-format", "cvs"], 2, "Did you mean 'csv'"),
        (["run", "census_linear", "--option", "sep=;", "--master", "local[1]"], 2, "reads files of its own format"),
        (["show", "census_lienar"], 2, "Did you mean 'census_linear'"),
        (["etl", "--pipeline", "census_linear", "--input", "/nowhere"], 2, "required: --output"),
        (["trian"], 2, "unknown command 'trian'. Did you mean 'train'"),
        (
            ["register", "--pipeline", "census_linear", "--training", "/x", "--tracking-uri", "http://127.0.0.1:9"],
            1,
            "MLflow at http://127.0.0.1:9 does not answer",
        ),
    ],
)
def test_exit_codes_and_one_line_reasons(emberline, arguments: list[str], code: int, reason: str) -> None:
    finished = emberline(*arguments)
    assert finished.code == code, finished.stderr
    assert reason in finished.stderr
    assert "Traceback" not in finished.stderr
    if finished.stdout:
        assert finished.result["status"] == "failed"
        assert reason in finished.result["reason"]


def test_no_java_ends_with_2(emberline, tmp_path: Path) -> None:
    finished = emberline("run", "census_linear", env={"JAVA_HOME": str(tmp_path)})
    assert finished.code == 2
    assert finished.result["kind"] == "JavaError"
    assert "Install a JDK 17 or newer" in finished.stderr
