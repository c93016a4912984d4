"""What the tests of a project need: a Spark session, a tiny dataset version, and a contract that every recipe keeps.

    from emberline.testing import check_recipe, spark_session

    def test_the_recipe_works(tmp_path):
        with spark_session() as spark:
            check_recipe(spark, load_recipe("rides"), str(tmp_path), rows=ROWS)

Nothing heavy is imported before a function is called.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Recipe, Training

if TYPE_CHECKING:
    import pandas as pd
    from pyspark.sql import DataFrame, SparkSession

    from emberline.features.dataset_version import DatasetVersion

    Rows: TypeAlias = DataFrame | pd.DataFrame | Sequence[Mapping[str, Any]]

TOLERANCE = 1e-5
"""Absolute difference of two scores of one row; both are sums of float32 in another order."""


@dataclass(frozen=True)
class Checked:
    """What `check_recipe` made; tests may look further into it.

    Args:
        version: The dataset version.
        model: Folder of the exported SavedModel.
        predictions: Parquet folder of the scored rows.
        metrics: Of the held-out rows after one step.
        largest_difference: Between the scores of Spark and of plain TensorFlow, over all rows and columns.
    """

    version: "DatasetVersion"
    model: str
    predictions: str
    metrics: Mapping[str, float]
    largest_difference: float


@contextmanager
def spark_session(master: str = "local[2]", **settings: str) -> "Iterator[SparkSession]":
    """Yields a session for tests, with `format("tfrecord")`, stopped after the block; a pytest fixture is two lines:

        @pytest.fixture(scope="session")
        def spark():
            with spark_session() as session:
                yield session

    Args:
        master: `local-cluster[2,1,1024]` has executors in processes of their own, as a cluster does.
        settings: Of Spark, with `_` for `.`, such as `spark_sql_ansi_enabled="false"`.
    """
    from emberline.pipelines.runtime.session import session

    few = {"spark.sql.shuffle.partitions": "2"}
    with session("tests", master, few | {name.replace("_", "."): value for name, value in settings.items()}) as spark:
        yield spark


def tiny_version(
    spark: "SparkSession", recipe: Recipe, folder: str, rows: "Rows | None" = None, *, source: str | None = None
) -> "DatasetVersion":
    """Writes a dataset version of a few rows with the real `etl`, and returns it.

    Args:
        spark: The session.
        recipe: Dataset and columns.
        folder: Where raw rows and the version are written, in `raw` and `version`.
        rows: Raw rows by column name, the label among them: a DataFrame of Spark or pandas, or mappings. For datasets
            that read tables; a tenth is held out, unless a column `split` says which.
        source: URI of raw files instead, in the dataset's own format. With neither, the dataset generates its own.

    Raises:
        BadInputError: if the rows do not fit the schema, or there are none.
    """
    from emberline.features.dataset_version import open_version
    from emberline.pipelines.datasets import load_dataset
    from emberline.pipelines.etl import etl

    if rows is not None and source is not None:
        raise BadInputError("Both rows and source were given. Give one of them.")
    if rows is not None:
        source = f"{folder}/raw"
        _frame(spark, rows).write.mode("overwrite").parquet(source)
    elif source is None:
        source = f"{folder}/raw"
        load_dataset(recipe.dataset).generate(source, seed=1)
    return open_version(etl(spark, recipe, source, f"{folder}/version", overwrite=True).dataset)


def check_recipe(
    spark: "SparkSession", recipe: Recipe, folder: str, rows: "Rows | None" = None, *, source: str | None = None
) -> Checked:
    """Checks the contract of a recipe on a few rows: its columns and label fit its dataset, a version can be made, one
    step trains, the model loads with plain TensorFlow, and Spark's scores of raw rows are those of the model itself.

    Args:
        spark: The session.
        recipe: What is checked. It trains one step in one process, whatever it says of workers and epochs.
        folder: Takes everything that is written.
        rows: As of `tiny_version`.
        source: As of `tiny_version`.

    Raises:
        BadInputError: if the recipe cannot work with its dataset.
        AssertionError: if the model's answers differ, or are no finite numbers.
    """
    from emberline.pipelines.console.recipe_checks import require_sound
    from emberline.pipelines.runtime.shipping import ship_projects
    from emberline.pipelines.tracking import Tracker
    from emberline.pipelines.train import train

    require_sound(recipe)
    ship_projects(spark, *recipe.modules)
    version = tiny_version(spark, recipe, folder, rows, source=source)
    small = dataclasses.replace(recipe, training=_one_step(recipe.training, version.split("train").rows))
    trained = train(
        spark, small, version.uri, f"{folder}/training", Tracker(f"sqlite:///{folder}/mlflow.db"), overwrite=True
    )
    model = f"{folder}/training/model"
    predictions, difference = _scores(spark, small, version, model, folder)
    if not difference <= TOLERANCE:  # a difference that is no number fails too
        raise AssertionError(
            f"Recipe {recipe.name!r}: Spark's scores and those of the exported model differ by {difference:g}, where "
            f"{TOLERANCE:g} is allowed. Does the network use something else than its inputs, such as random numbers?"
        )
    return Checked(version, model, predictions, trained.metrics, difference)


def _frame(spark: "SparkSession", rows: "Rows") -> "DataFrame":
    from pyspark.sql import DataFrame

    if isinstance(rows, DataFrame):
        return rows
    import pandas as pd

    table = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    if table.empty:
        raise BadInputError("No rows were given: a recipe is checked with some rows of each kind.")
    return spark.createDataFrame(table)


def _one_step(training: Training, rows: int) -> Training:
    """One batch of all rows, as far as the recipe's own batch goes."""
    batch = min(rows, training.global_batch)
    batch -= batch % training.accumulate
    return dataclasses.replace(
        training, mode="local", workers=1, epochs=1, global_batch=max(batch, training.accumulate), steps_per_call=1,
        input="tensorflow", tensorboard=False, stall_seconds=300, max_restarts=0,
    )  # fmt: skip


def _scores(
    spark: "SparkSession", recipe: Recipe, version: "DatasetVersion", model: str, folder: str
) -> tuple[str, float]:
    """Folder of the predictions of the version's raw rows by Spark, and how far they are from the model's own."""
    import numpy as np
    import pyarrow.parquet as pq
    import tensorflow as tf
    from pyspark.sql import functions as F

    from emberline.features.names import quoted
    from emberline.features.schema import Schema
    from emberline.features.statistics import Statistics
    from emberline.features.tensors import raw_tensors
    from emberline.features.validation.rows import check_rows, reason_of
    from emberline.pipelines.datasets import load_dataset
    from emberline.pipelines.datasets.raw_source import RawSource
    from emberline.pipelines.saved_model.executors import ship
    from emberline.pipelines.saved_model.named_inputs import arguments
    from emberline.pipelines.scoring.destination import Destination
    from emberline.pipelines.scoring.model import ScoringModel
    from emberline.pipelines.scoring.score_rows import score_with
    from emberline.pipelines.tracking import ModelVersion

    features = json.loads((Path(model) / "features.json").read_text())
    schema = Schema.from_json(features["schema"])
    shipped = ship(spark, model, f"checked-{recipe.name}")
    known = ModelVersion(recipe.name, 0, "", model, {})
    opened = ScoringModel(known, schema, Statistics.from_json(features["statistics"]), shipped)
    source, target = version.manifest["source"]["uri"], f"{folder}/predictions"
    score_with(spark, recipe, opened, RawSource.at(source), Destination(spark, target))
    scored = pq.read_table(target).sort_by(schema.key)
    names = [field.name for field in schema.fields]
    raw = load_dataset(recipe.dataset).read(spark, source)
    checked = check_rows(raw, schema, labelled=False)
    good = checked.where(F.col(quoted(reason_of(checked.columns))).isNull())
    kept = good.select(*(F.col(quoted(name)) for name in (schema.key, *names))).dropDuplicates([schema.key])
    table = kept.orderBy(F.col(quoted(schema.key))).toArrow().combine_chunks()
    signature = tf.saved_model.load(model).signatures["serving_default"]
    said = signature(**arguments(raw_tensors(table.to_batches()[0], schema)))
    largest = 0.0
    answers = {item.name: scored.column(item.name) for item in opened.predicted if item.name in said}
    first = {key: index for index, key in reversed(list(enumerate(scored.column(schema.key).to_pylist())))}
    order = [first[key] for key in table.column(schema.key).to_pylist()]
    for name, column in answers.items():
        values = np.asarray(column.to_pylist())[order]
        if not np.issubdtype(values.dtype, np.number):
            continue
        apart = np.abs(values.astype(np.float64) - said[name].numpy().astype(np.float64).reshape(values.shape))
        largest = max(largest, float(apart.max()) if np.isfinite(apart).all() else float("nan"))
    return target, largest
