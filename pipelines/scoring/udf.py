"""A registered model as a function of columns, for SQL and DataFrames: Arrow in and out, no pandas."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql.functions import arrow_udf
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import DataType

from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Schema
from emberline.pipelines.saved_model.executors import spark_columns
from emberline.pipelines.scoring.arrow_checks import check_batch, fits
from emberline.pipelines.scoring.model import ScoringModel, open_model
from emberline.pipelines.scoring.scorer import predictor
from emberline.pipelines.tasks.task import PredictionColumn
from emberline.pipelines.tracking import Tracker


def emberline_udf(model: str, *, tracking_uri: str, spark: SparkSession | None = None) -> Callable[..., Any]:
    """Returns a function from a struct of raw columns, by name, to a struct of the prediction's columns.

    `rows.select("row", predict(struct("*")).alias("p")).select("row", "p.*")`, or after
    `spark.udf.register("predict", emberline_udf(...))` in SQL: `SELECT row, predict(struct(*)).score FROM …`.
    Rows that are not good for sure, whatever is wrong with them, have null in place of a prediction; `score` says why.

    Args:
        model: `models:/NAME@alias`, `models:/NAME/VERSION` or `runs:/ID/model`.
        tracking_uri: The registry.
        spark: The session; by default the active one.

    Raises:
        BadInputError: if there is no such model, or no session.
    """
    session = spark or SparkSession.getActiveSession()
    if session is None:
        raise BadInputError("There is no Spark session to score in. Start one first.")
    return udf_of(open_model(session, Tracker(tracking_uri), model))


def udf_of(opened: ScoringModel) -> Callable[..., Any]:
    """Returns `emberline_udf` of a model that the executors have already."""
    answer = spark_columns(opened.predicted)
    score = _StructScorer(opened.schema, opened.predicted, opened.archive, to_arrow_type(DataType.fromDDL(answer)))
    made: Callable[..., Any] = arrow_udf(score.batches, answer)  # type: ignore[call-overload]  # PySpark's stubs know no text here
    return made


@dataclass(frozen=True)
class _StructScorer:
    """Runs in an executor."""

    schema: Schema
    predicted: tuple[PredictionColumn, ...]
    archive: str
    answer: pa.DataType

    def batches(self, structs: Iterator[pa.Array]) -> Iterator[pa.Array]:
        predict = predictor(self.archive, self.schema, self.predicted)
        names = [column.name for column in self.predicted]
        for struct in structs:
            rows, accepted = self._checked(struct)
            if not accepted.any():
                yield pa.nulls(len(struct), self.answer)
                continue
            answer = pa.StructArray.from_arrays(predict(rows.filter(pa.array(accepted))), names)
            yield answer if accepted.all() else answer.take(pa.array(np.cumsum(accepted) - 1, mask=~accepted))

    def _checked(self, struct: pa.StructArray) -> tuple[pa.RecordBatch, np.ndarray]:
        present = [field.name for field in struct.type]
        for field in self.schema.fields:
            if field.name not in present:
                raise BadInputError(f"The struct has no column {field.name!r}. {nearest(field.name, present)}")
        arrays = dict(zip(present, struct.flatten(), strict=True))
        columns = {field.name: arrays[field.name] for field in self.schema.fields}
        types = {name: column.type for name, column in columns.items()}
        if not fits(self.schema, types):
            wanted = ", ".join(f"{field.name} {field.spark_type}" for field in self.schema.fields)
            given = ", ".join(f"{name} {kind}" for name, kind in types.items())
            raise BadInputError(f"The model takes columns of these types: {wanted}; got {given}. Cast them.")
        key = pa.array(np.zeros(len(struct), np.int8))  # no row is without one here
        batch = pa.RecordBatch.from_arrays([*columns.values(), key], names=[*columns, self.schema.key])
        rows, accepted = check_batch(batch, self.schema)
        return rows, np.ones(len(struct), bool) if accepted is None else accepted
