"""`import emberline as em` on a DataFrame and a recipe made in Python, against scikit-learn's table of flowers."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from sklearn.datasets import load_iris

import emberline as em
from emberline.features.dataset_rows import read_version
from emberline.features.errors import BadInputError
from emberline.models.tabular import dnn
from emberline.pipelines.api.notebook import SparkFailedError, readable
from emberline.pipelines.datasets.splits import is_held_out

NUMBERS = ("sepal_length", "sepal_width", "petal_length", "petal_width")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, spark: SparkSession):
    """A workspace of its own, and the defaults of others afterwards."""
    from emberline.pipelines.api import notebook

    folder = tmp_path_factory.mktemp("notebook")
    with pytest.MonkeyPatch.context() as patch:
        defaults = notebook.Defaults(str(folder / "workspace"), f"sqlite:///{folder}/mlflow.db")
        patch.setattr(notebook, "_defaults", defaults)
        yield folder


@pytest.fixture(scope="module")
def flowers_frame(spark: SparkSession):
    data = load_iris(as_frame=True)
    frame = data.data.set_axis(list(NUMBERS), axis=1)
    frame["species"] = [str(data.target_names[kind]) for kind in data.target]
    frame["flower"] = [f"flower-{number}" for number in range(len(frame))]
    return spark.createDataFrame(frame)


@pytest.fixture(scope="module")
def recipe(flowers_frame) -> em.Recipe:
    return em.Recipe(
        name="flowers_of_mine",
        source="a cell",
        dataset=em.table("flowers", flowers_frame, label="species", key="flower"),
        model=dnn.Config(deep=tuple(em.Numeric(name) for name in NUMBERS), hidden_units=(10,), outputs=3),
        training=em.Training(
            optimizers=(em.Optimizer("adam", 0.02),), epochs=100, global_batch=24, mode="local", tensorboard=False
        ),
        gate=em.Gate("accuracy", 0.8),
    )


@pytest.fixture(scope="module")
def run(spark: SparkSession, home: Path, flowers_frame, recipe: em.Recipe) -> SimpleNamespace:
    prepared = em.etl(recipe, flowers_frame)
    trained = em.train(recipe, prepared)
    evaluated = em.evaluate(recipe, trained)
    registered = em.register(recipe, evaluated)
    scored = em.score(registered, flowers_frame, recipe=recipe)
    return SimpleNamespace(
        prepared=prepared, trained=trained, evaluated=evaluated, registered=registered, scored=scored
    )


def test_a_dataframe_to_scores(spark: SparkSession, home: Path, run: SimpleNamespace, flowers_frame) -> None:
    assert run.prepared.rows_read == 150
    held_out = {row["flower"] for row in flowers_frame.collect() if is_held_out(row["flower"])}
    assert {row["flower"] for row in read_version(spark, run.prepared.dataset, "eval").collect()} == held_out
    assert run.evaluated.metrics["rows"] == len(held_out)
    assert run.evaluated.metrics["accuracy"] > 0.8
    assert run.registered.champion == 1
    scored = spark.read.parquet(run.scored.predictions).join(flowers_frame, "flower")
    assert scored.count() == 150
    assert scored.where(F.col("class_name") == F.col("species")).count() > 135
    for made in (run.prepared.dataset, run.trained.training, run.scored.predictions):
        assert made.startswith(f"file://{home}/workspace/"), "outputs are named for the user"


def test_a_model_is_a_function_of_columns(spark: SparkSession, run: SimpleNamespace, flowers_frame) -> None:
    predict = em.udf(run.registered, spark=spark)
    rows = flowers_frame.select("flower", predict(F.struct("*")).alias("p")).select("flower", "p.class_name")
    scored = spark.read.parquet(run.scored.predictions)
    assert rows.join(scored, ["flower", "class_name"]).count() == 150


def test_results_show_themselves(run: SimpleNamespace) -> None:
    for result in vars(run).values():
        lines = repr(result).splitlines()
        assert lines[0] == type(result).__name__
        assert len(lines) > 4
        page = result._repr_html_()
        assert page.startswith("<table>")
        assert page.count("<tr>") == len(lines) - 1
    assert "metrics.accuracy" in repr(run.evaluated)


def test_held_out_rows_are_not_trained_on(
    spark: SparkSession, run: SimpleNamespace, recipe: em.Recipe, flowers_frame, capsys
) -> None:
    """All rows are given, and those that the version holds out do not reach the feed."""
    from emberline.features.dataset_version import open_version
    from emberline.pipelines.runtime.progress import Progress
    from emberline.pipelines.train import _held_out
    from emberline.pipelines.training.input.feed_rows import given_rows

    version = open_version(run.prepared.dataset)
    for frame, said in ((flowers_frame, "are left out"), (flowers_frame.drop("flower"), "have no column 'flower'")):
        keys = _held_out(spark, frame, version, Progress("train"))
        assert said in capsys.readouterr().err
        left = given_rows(frame, version.schema, keys)(0)
        held_out = 0 if "flower" not in frame.columns else version.split("eval").rows
        assert left.count() == 150 - held_out


def test_what_does_not_fit_is_refused(spark: SparkSession, home: Path, recipe: em.Recipe, flowers_frame) -> None:
    with pytest.raises(em.BadInputError, match=r"reads files of its own format.*NamedTable"):
        em.etl("iris_dnn", flowers_frame)
    with pytest.raises(em.BadInputError, match=r"no column 'petal_width'.*It has"):
        em.etl(recipe, flowers_frame.drop("petal_width"))
    with pytest.raises(em.BadInputError, match=r"takes a URI or a Spark DataFrame, and got a list"):
        em.etl(recipe, [1, 2])  # type: ignore[arg-type]
    with pytest.raises(em.BadInputError, match=r"py_files: 'nothing.zip' is no file"):
        em.session(py_files=["nothing.zip"])
    two = replace(recipe, training=replace(recipe.training, mode="sync", workers=8))
    with pytest.raises(em.BadInputError, match=r"needs 8 slots"):
        em.train(two, em.etl(recipe, flowers_frame))


def test_a_failure_in_an_executor_is_told_in_a_line(spark: SparkSession) -> None:
    def fail(batches):
        raise KeyError("no such word")
        yield from batches

    @readable
    def step():
        return spark.range(1).mapInArrow(fail, "id long").collect()

    with pytest.raises(SparkFailedError, match=r"^step: KeyError: 'no such word'$") as met:
        step()
    assert "\tat " not in str(met.value)


def test_held_out_rows_of_one_class(
    spark: SparkSession, home: Path, recipe: em.Recipe, capfd: pytest.CaptureFixture[str]
) -> None:
    """A rare event, none of which is held out; the keys are whole numbers, as most are."""
    rows = spark.createDataFrame(
        [(key, key / 10, "no" if is_held_out(str(key)) or key % 5 else "fraud") for key in range(200)],
        "payment bigint, amount double, verdict string",
    )
    fraud = em.Recipe(
        name="fraud",
        source="a cell",
        dataset=em.table("payments", rows, label="verdict", key="payment"),
        model=dnn.Config(deep=(em.Numeric("amount"),), hidden_units=(4,)),
        training=replace(recipe.training, epochs=1),
    )
    prepared = em.etl(fraud, rows)
    (told,) = [anomaly for anomaly in prepared.anomalies if anomaly.kind == "single_class"]
    assert (told.split, told.severity) == ("eval", "warning")
    evaluated = em.evaluate(fraud, em.train(fraud, prepared))
    assert "auc" not in evaluated.metrics
    assert evaluated.metrics["rows"] == prepared.records["eval"]
    assert "auc is left out: all" in capfd.readouterr().err
    with pytest.raises(BadInputError, match=r"The gate asks for 'auc': all .* it needs both. Hold out more rows, or"):
        em.register(fraud, evaluated)
    assert em.register(replace(fraud, gate=em.Gate("accuracy", 0.0)), evaluated).champion == 1
