"""A recipe as an `Estimator` of `pyspark.ml`, and what it makes as a `Model`: for `Pipeline` and `CrossValidator`."""

import threading
from collections.abc import Iterator, Sequence
from typing import Any

from pyspark.ml import Estimator, Model
from pyspark.ml.param import Param
from pyspark.ml.param.shared import HasPredictionCol
from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReadable, MLReader, MLWritable, MLWriter
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.pipelines.api import steps
from emberline.pipelines.api.declared import from_plain, to_plain
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipe.overrides import with_overrides
from emberline.pipelines.runtime.arguments import location
from emberline.pipelines.scoring.model import open_folder
from emberline.pipelines.scoring.udf import udf_of

MODEL = "model"
"""Folder of the SavedModel below a saved model, as below a training."""

_ANSWER = "_emberline_prediction"


class RecipeEstimator(Estimator[Any], HasPredictionCol, MLReadable[Any], MLWritable):
    """Trains a recipe on a DataFrame: `etl`, then `train`; a tenth of the rows, or those of a column `split`, held out.

    Every field of the recipe is a parameter: `estimator.field("training.epochs")` for `ParamGridBuilder` and `set`,
    with the names and texts of `--set`.

    Args:
        recipe: With a dataset for tables (`em.table`, `em.NamedTable`).
        tracking: MLflow store; default: the session's.

    Example:
        >>> estimator = RecipeEstimator(None)
        >>> estimator.copy({estimator.field("training.epochs"): 3}).overrides
        {'training.epochs': '3'}
    """

    def __init__(self, recipe: Recipe | None, *, tracking: str | None = None) -> None:
        super().__init__()
        self.recipe = recipe
        self.tracking = tracking
        self.shared: _SharedVersion | None = None

    def field(self, name: str) -> Param[Any]:
        """Returns the parameter of a field of the recipe, such as `training.epochs`.

        Raises:
            BadInputError: if the recipe has no such field.
        """
        if name not in vars(self):
            setattr(self, name, Param(self, name, f"field {name} of the recipe, as --set takes it"))
            self._params = None  # pyspark.ml keeps a list of them
        found: Param[Any] = getattr(self, name)
        return found

    def __getattr__(self, name: str) -> Param[Any]:
        """Readers of pyspark.ml ask a new estimator for its parameters as attributes, those of fields among them."""
        if "." in name:
            return self.field(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def getParam(self, paramName: str) -> Param[Any]:  # noqa: N802, N803 - as pyspark.ml calls it
        """Returns a parameter by name; any with a dot is a field of the recipe."""
        return self.field(paramName) if "." in paramName else super().getParam(paramName)

    @property
    def overrides(self) -> dict[str, str]:
        """Fields that were set."""
        return {param.name: _text(value) for param, value in self._paramMap.items() if "." in param.name}

    def setPredictionCol(self, value: str) -> "RecipeEstimator":  # noqa: N802 - as pyspark.ml calls it
        """Sets the column of the predicted number or class id, a double."""
        return self._set(predictionCol=value)

    def _fit(self, dataset: DataFrame) -> "RecipeModel":
        if self.recipe is None:
            raise BadInputError("The estimator has no recipe.")
        recipe = with_overrides(self.recipe, self.overrides)
        spark = dataset.sparkSession
        version = (
            self.shared.of(recipe, dataset, self.tracking) if self.shared else _prepared(recipe, dataset, self.tracking)
        )
        trained = steps.train(recipe, version, tracking=self.tracking, spark=spark)
        return self._copyValues(RecipeModel(storage.join(trained.training, MODEL), trained.run_id))

    def fitMultiple(  # noqa: N802 - as pyspark.ml calls it
        self,
        dataset: DataFrame,
        paramMaps: Sequence[Any],  # noqa: N803
    ) -> Iterator[tuple[int, Any]]:
        """Returns an iterator over models, one per map; those that differ in `training` alone share a version."""
        keep = self.copy()
        keep.shared = _SharedVersion()
        return super(RecipeEstimator, keep).fitMultiple(dataset, paramMaps)  # type: ignore[arg-type]

    def write(self) -> MLWriter:
        """Saves parameters and recipe; the recipe's own classes and functions must be of modules."""
        return _EstimatorWriter(self)

    @classmethod
    def read(cls) -> MLReader[Any]:
        """Reads what `write` saved."""
        return _EstimatorReader()


class RecipeModel(Model, HasPredictionCol, MLReadable[Any], MLWritable):
    """Adds predictions to a DataFrame: the columns of the task, and a number for evaluators in `predictionCol`.

    Where the label's column is there, `labelIndex` beside it is what evaluators compare with: the class id, or the
    number. Rows that do not fit the schema have null in all of them.

    Args:
        uri: URI of the SavedModel's folder.
        run_id: MLflow run of its training; empty for none.
    """

    def __init__(self, uri: str = "", run_id: str = "") -> None:
        super().__init__()
        self.uri = uri
        self.run_id = run_id

    def _transform(self, dataset: DataFrame) -> DataFrame:
        opened = open_folder(dataset.sparkSession, self.uri)
        schema, predicted = opened.schema, opened.predicted
        fields = [F.col(quoted(field.name)).try_cast(field.spark_type).alias(field.name) for field in schema.fields]
        answered = dataset.withColumn(_ANSWER, udf_of(opened)(F.struct(*fields)))
        number = self.getPredictionCol()
        main = next((name for name in ("prediction", "class") if name in [item.name for item in predicted]), "")
        columns = [F.col(f"{_ANSWER}.{item.name}").alias(item.name) for item in predicted if item.name != number]
        if main:
            columns.append(F.col(f"{_ANSWER}.{main}").cast("double").alias(number))
        if schema.label.name in dataset.columns and main:
            columns.append(_label_index(schema).alias("labelIndex"))
        return answered.select("*", *columns).drop(_ANSWER)

    def write(self) -> MLWriter:
        """Saves the parameters and a copy of the SavedModel."""
        return _ModelWriter(self)

    @classmethod
    def read(cls) -> MLReader[Any]:
        """Reads what `write` saved."""
        return _ModelReader()


class _SharedVersion:
    """Dataset versions of one DataFrame, by everything but `training`."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}
        self._lock = threading.Lock()

    def of(self, recipe: Recipe, rows: DataFrame, tracking: str | None) -> str:
        described = recipe.to_json()
        described.pop("training")
        key = repr((described, recipe.training.weight))
        with self._lock:
            if key not in self._made:
                self._made[key] = _prepared(recipe, rows, tracking)
            return self._made[key]


def _prepared(recipe: Recipe, rows: DataFrame, tracking: str | None) -> str:
    """URI of a dataset version of the rows."""
    return steps.etl(recipe, rows, tracking=tracking, spark=rows.sparkSession).dataset


class _EstimatorWriter(MLWriter):
    def __init__(self, instance: RecipeEstimator) -> None:
        super().__init__()
        self.instance = instance

    def saveImpl(self, path: str) -> None:  # noqa: N802 - as pyspark.ml calls it
        extra = {"recipe": to_plain(self.instance.recipe), "tracking": self.instance.tracking}
        DefaultParamsWriter.saveMetadata(self.instance, path, _session(), extra)


class _EstimatorReader(MLReader[RecipeEstimator]):
    def load(self, path: str) -> RecipeEstimator:
        facts = DefaultParamsReader.loadMetadata(path, _session())
        estimator = RecipeEstimator(from_plain(facts["recipe"]), tracking=facts["tracking"])
        return _restored(estimator, facts)


class _ModelWriter(MLWriter):
    def __init__(self, instance: RecipeModel) -> None:
        super().__init__()
        self.instance = instance

    def saveImpl(self, path: str) -> None:  # noqa: N802 - as pyspark.ml calls it
        DefaultParamsWriter.saveMetadata(self.instance, path, _session(), {"runId": self.instance.run_id})
        storage.copy_folder(self.instance.uri, storage.join(location(path), MODEL))


class _ModelReader(MLReader[RecipeModel]):
    def load(self, path: str) -> RecipeModel:
        facts = DefaultParamsReader.loadMetadata(path, _session())
        return _restored(RecipeModel(storage.join(location(path), MODEL), facts["runId"]), facts)


def _restored(instance: Any, facts: dict[str, Any]) -> Any:
    # PySpark's own readers restore the identity of an instance so; there is no public way.
    instance._resetUid(facts["uid"])
    DefaultParamsReader.getAndSetParams(instance, facts)
    return instance


def _session() -> SparkSession:
    return SparkSession.getActiveSession() or SparkSession.builder.getOrCreate()


def _label_index(schema: Schema) -> Any:
    label = schema.label
    column = F.col(f"`{label.name}`")
    if not label.classes:
        return column.cast("double")
    index = F.lit(None).cast("double")
    for number, names in enumerate(label.classes):
        index = F.when(column.cast("string").isin(*names), F.lit(float(number))).otherwise(index)
    return index


def _text(value: Any) -> str:
    return value if isinstance(value, str) else repr(value)
