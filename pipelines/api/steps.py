"""The steps of a pipeline as functions that need little said: what is left out is taken from the session's defaults.

Where a step wants the output of another, it takes that step's result or a URI.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.validation.schema_inference import infer_schema
from emberline.pipelines.api.dataset import Dataset
from emberline.pipelines.api.notebook import place_of, readable, recipe_of, session_or, tracker_of
from emberline.pipelines.artifacts.training_folder import TrainResult
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.raw_source import folders_read
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.etl import EtlResult, tracked_etl
from emberline.pipelines.evaluate import evaluate as run_evaluate
from emberline.pipelines.evaluation.result import EvaluateResult
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.register import RegisterResult
from emberline.pipelines.register import register as run_register
from emberline.pipelines.runtime.arguments import location
from emberline.pipelines.runtime.output_folder import require_apart
from emberline.pipelines.score import score as run_score
from emberline.pipelines.scoring.score_rows import ScoreResult
from emberline.pipelines.scoring.udf import emberline_udf
from emberline.pipelines.train import AVAILABLE_NOW
from emberline.pipelines.train import train as run_train
from emberline.pipelines.training.event_log import Watch

ROWS = "rows"
"""Folder, beside a dataset version, of the DataFrame that it was made of."""


@readable
def table(name: str, rows: DataFrame, label: str, key: str | None = None) -> NamedTable:
    """Returns a dataset with the columns of a DataFrame, for a recipe of a notebook; look at its `schema` before use.

    Args:
        name: Of the dataset.
        rows: Rows whose kinds, limits and words the schema is guessed from.
        label: The column to predict.
        key: The column that identifies a row; default: rows get the hash of their values as key.

    Raises:
        BadInputError: if there is no such column, or a column is of a type that no field has.
    """
    schema: Schema = infer_schema(rows, label, key)
    return NamedTable(name, schema)


@readable
def etl(
    recipe: Recipe | str,
    source: str | DataFrame,
    output: str | None = None,
    *,
    overwrite: bool = False,
    previous: str | None = None,
    statistics_of: str | None = None,
    tracking: str | None = None,
    spark: SparkSession | None = None,
) -> EtlResult:
    """Writes raw rows as a dataset version.

    Args:
        recipe: The recipe, or its name.
        source: URI of raw files; or a DataFrame with the columns of the recipe's dataset by name, which is kept as
            Parquet beside the version, because later steps read raw rows again.
        output: URI of the version; default: a new folder of the workspace.
        overwrite: Replace a version that is there.
        previous: URI of the version to compare with.
        statistics_of: URI of a model, a training or a dataset version whose statistics are taken over.
        tracking: MLflow store; default: the session's.
        spark: Default: the active session, or a new one.

    Raises:
        BadInputError: if source and recipe do not fit, or a DataFrame is given for a dataset that reads files of its
            own format.
        AnomalyError: if the data as a whole is not what the recipe expects.
    """
    session, recipe = session_or(spark), recipe_of(recipe)
    target = place_of(output, recipe.name, "datasets")
    kept = location(source) if isinstance(source, str) else _kept(source, recipe, f"{target.rstrip('/')}.{ROWS}")
    return tracked_etl(
        session,
        recipe,
        kept,
        target,
        tracker_of(tracking),
        overwrite=overwrite,
        previous=previous,
        statistics_of=statistics_of,
    )


@readable
def train(
    recipe: Recipe | str,
    dataset: "str | EtlResult | Dataset | DatasetVersion",
    output: str | None = None,
    *,
    rows: DataFrame | None = None,
    trigger: Mapping[str, Any] = AVAILABLE_NOW,
    warm_start: str | None = None,
    overwrite: bool = False,
    name: str = "",
    watch: Watch | None = None,
    tracking: str | None = None,
    spark: SparkSession | None = None,
) -> TrainResult:
    """Trains a model on a dataset version, on executors.

    Args:
        recipe: The recipe, or its name; what is passed is what trains.
        dataset: What `etl` gave, or the URI of a dataset version.
        output: URI of the training's folder; an unfinished training there goes on. Default: a new folder of the
            workspace.
        rows: With `training.input=spark`, raw rows to train on; those that the version holds out are left out.
        trigger: Of streaming rows.
        warm_start: URI of a model or a finished training whose weights the network starts from.
        overwrite: Replace a training that is there.
        name: Of the MLflow run.
        watch: Called with epoch, counted from 1, and its metrics.
        tracking: MLflow store; default: the session's.
        spark: Default: the active session, or a new one.

    Raises:
        BadInputError: if dataset version and recipe do not fit, or the cluster is too small.
        ClusterError: if a worker fails; a call with the same `output` resumes.
    """
    recipe = recipe_of(recipe)
    return run_train(
        session_or(spark),
        recipe,
        uri_of_dataset(dataset),
        place_of(output, recipe.name, "trainings"),
        tracker_of(tracking),
        overwrite=overwrite,
        warm_start=warm_start,
        rows=rows,
        trigger=trigger,
        name=name,
        watch=watch,
    )


@readable
def evaluate(
    recipe: Recipe | str,
    training: str | TrainResult,
    *,
    overwrite: bool = False,
    tracking: str | None = None,
    spark: SparkSession | None = None,
) -> EvaluateResult:
    """Evaluates a trained model on the held-out rows; the page is `evaluation.html` in the training's folder.

    Args:
        recipe: The recipe, or its name.
        training: What `train` gave, or the URI of a training.
        overwrite: Evaluate again even if that was done.
        tracking: MLflow store; default: the session's.
        spark: Default: the active session, or a new one.

    Raises:
        BadInputError: if the training is not finished, or was evaluated before.
    """
    uri = _uri_of_training(training)
    return run_evaluate(session_or(spark), recipe_of(recipe), uri, tracker_of(tracking), overwrite=overwrite)


@readable
def register(
    recipe: Recipe | str,
    training: str | TrainResult | EvaluateResult,
    *,
    tracking: str | None = None,
    spark: SparkSession | None = None,
) -> RegisterResult:
    """Registers an evaluated model as a new version, and makes it the champion if it passes the recipe's gate.

    Args:
        recipe: The recipe, or its name.
        training: What `train` or `evaluate` gave, or the URI of a training.
        tracking: MLflow store; default: the session's.
        spark: Default: the active session, or a new one.

    Raises:
        BadInputError: if the training was not evaluated.
    """
    return run_register(session_or(spark), recipe_of(recipe), _uri_of_training(training), tracker_of(tracking))


@readable
def score(
    model: str | RegisterResult,
    source: str | DataFrame,
    output: str | None = None,
    *,
    recipe: Recipe | str | None = None,
    overwrite: bool = False,
    layout: str = "parquet",
    partition_by: str | None = None,
    keys: Sequence[str] = (),
    source_format: str | None = None,
    tracking: str | None = None,
    spark: SparkSession | None = None,
) -> ScoreResult:
    """Scores rows with a registered model: `spark.read.parquet(result.predictions)`.

    Args:
        model: What `register` gave, or `models:/NAME@alias`, `models:/NAME/VERSION`, `runs:/ID/model`.
        source: A DataFrame, or the URI of raw files.
        output: URI of the predictions; default: a new folder of the workspace.
        recipe: The recipe or its name, whose dataset reads the files and whose expectations are checked.
        overwrite: Replace predictions that are there.
        layout: `parquet`, `tfrecord` or `delta`.
        partition_by: A column that divides the predictions into folders.
        keys: Columns that stay with a prediction.
        source_format: A format of Spark's to read `source` with.
        tracking: MLflow store; default: the session's.
        spark: Default: the active session, or a new one.

    Raises:
        BadInputError: if there is no such model, or it does not fit the rows.
    """
    named = _uri_of_model(model)
    folder = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in named.partition(":/")[2])
    return run_score(
        session_or(spark),
        recipe_of(recipe) if recipe else None,
        named,
        location(source) if isinstance(source, str) else source,
        place_of(output, folder, "predictions"),
        tracker_of(tracking),
        overwrite=overwrite,
        layout=layout,
        partition_by=partition_by,
        keys=keys,
        form=source_format,
    )


@readable
def udf(
    model: str | RegisterResult, *, tracking: str | None = None, spark: SparkSession | None = None
) -> Callable[..., Any]:
    """Returns a registered model as a function of a struct: `rows.select(predict(F.struct("*")).alias("p"))`.

    Args:
        model: What `register` gave, or `models:/NAME@alias`, `models:/NAME/VERSION`, `runs:/ID/model`.
        tracking: MLflow store; default: the session's.
        spark: Default: the active session, or a new one.

    Raises:
        BadInputError: if there is no such model.
    """
    return emberline_udf(_uri_of_model(model), tracking_uri=tracker_of(tracking).uri, spark=session_or(spark))


def uri_of_dataset(dataset: "str | EtlResult | Dataset | DatasetVersion") -> str:
    """Returns the URI of a dataset version, given by its URI or by an object that holds it."""
    if isinstance(dataset, EtlResult):
        return dataset.dataset
    return location(dataset) if isinstance(dataset, str) else dataset.uri


def _kept(rows: DataFrame, recipe: Recipe, target: str) -> str:
    """Writes a DataFrame where later steps find it."""
    if not isinstance(rows, DataFrame) and not hasattr(rows, "writeStream"):
        raise BadInputError(f"Etl takes a URI or a Spark DataFrame, and got a {type(rows).__name__}.")
    if rows.isStreaming:
        raise BadInputError("Etl takes a DataFrame that has an end, and got a stream: write it somewhere first.")
    dataset = load_dataset(recipe.dataset)
    if not isinstance(dataset, NamedTable):
        raise BadInputError(
            f"The dataset {dataset.name!r} of recipe {recipe.name!r} reads files of its own format, and a DataFrame "
            "was given. Give the URI of the files, or a recipe with a dataset for tables: replace(recipe, "
            f"dataset=em.NamedTable({dataset.name!r}, em.load_dataset({dataset.name!r}).schema))."
        )
    if missing := [name for name in dataset.schema.names if name not in rows.columns and name != dataset.schema.key]:
        raise BadInputError(
            f"The DataFrame has no column {', '.join(map(repr, missing))}, which the schema of {dataset.name!r} names. "
            f"It has {', '.join(rows.columns)}."
        )
    require_apart(target, folders_read(rows))
    rows.write.mode("overwrite").parquet(target)
    return target


def _uri_of_training(training: str | TrainResult | EvaluateResult) -> str:
    return location(training) if isinstance(training, str) else training.training


def _uri_of_model(model: str | RegisterResult) -> str:
    return model if isinstance(model, str) else f"models:/{model.name}/{model.version}"
