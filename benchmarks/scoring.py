"""Rows scored per second, whole job: `score` against MLflow's `spark_udf` and Spark's `predict_batch_udf`.

`python -m benchmarks.scoring [--quick]`. Everybody reads Parquet files of the same raw columns in Spark `local[2]`,
runs the same registered model, whose transform graph is part of it, and writes key, score, class and version as
Parquet, for the same rows. Ours also checks every row, compares the rows with those of training, and records a run;
that counts. Starts of Spark, Python and TensorFlow do not count on any side: an unmeasured turn goes first.
`predict_batch_udf` runs at the best of a few batch sizes, tried with fewer rows. The bound of each model is what its
SavedModel does with tensors that are ready, in one process on all cores, with the better of its signatures at the best
of a few batch sizes.
"""

import inspect
import os
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from benchmarks import scoring_models
from benchmarks.ratios import compare, print_json, print_table, seconds
from benchmarks.scoring_models import Kind
from benchmarks.sizes import Size, sized_parser
from emberline.features.schema import Field, Schema
from emberline.pipelines.runtime.session import session
from emberline.pipelines.score import score
from emberline.pipelines.tracking import Tracker

TRIED_ROWS = 200_000
BATCH_SIZES, BOUND_SIZES = (1_000, 5_000, 20_000), (256, 1_000, 4_000, 8_000)
ANSWERS = {"binary": "score float, class bigint", "multiclass": "class bigint, score float"}


class Job:
    """One registered model, files of rows for it, and three ways to score them.

    Args:
        spark: The session.
        folder: Takes rows, model and predictions.
        kind: The network, and its rows.
        size: How many rows it takes.
    """

    def __init__(self, spark: SparkSession, folder: Path, kind: Kind, size: Size) -> None:
        self._spark = spark
        self._schema = kind.schema
        self._folder = folder
        self._all = str(folder / "all")
        self._few = str(folder / "few")
        self._fields = [field.name for field in kind.schema.fields]
        rows = size.of(*kind.rows)
        kind.write(folder / "all", rows)
        kind.write(folder / "few", min(rows, TRIED_ROWS))
        self._tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        version = folder / "version"
        self._uri = scoring_models.register(spark, self._tracker, kind.recipe, kind.schema, self._few, version)
        self._answer = ANSWERS[kind.schema.label.task]

    def ours(self) -> float:
        """Rows per second."""
        out = str(self._folder / "ours")
        return self._speed(
            self._all, out, lambda: score(self._spark, None, self._uri, self._all, out, self._tracker, overwrite=True)
        )

    def spark_udf(self) -> Callable[[], float]:
        """MLflow's, on a struct of the columns."""
        import mlflow

        predict = mlflow.pyfunc.spark_udf(self._spark, self._uri, self._answer, env_manager="local")
        fields = [_as_mlflow_takes_it(field) for field in self._schema.fields]
        return lambda: self._written(self._all, predict(F.struct(*fields)))

    def predict_batch_udf(self) -> Callable[[], float]:
        """Spark's, at the batch size at which it is fastest."""
        speeds = {}
        for batch in BATCH_SIZES:
            run = self._predict_batch_udf(self._few, batch)
            run()
            speeds[batch] = run()
        print("predict_batch_udf by batch size: " + ", ".join(f"{k:,}: {v:,.0f} rows/s" for k, v in speeds.items()))
        return self._predict_batch_udf(self._all, max(speeds, key=speeds.__getitem__))

    def _predict_batch_udf(self, rows: str, batch: int) -> Callable[[], float]:
        """With a function that calls the SavedModel as directly as it can."""
        from pyspark.ml.functions import predict_batch_udf
        from pyspark.sql.types import DataType

        make = _make_predict(str(self._folder / "version" / "model"), self._schema)
        answer = DataType.fromDDL(self._answer)
        predict = predict_batch_udf(make, return_type=answer, batch_size=batch)
        return lambda: self._written(rows, predict(*self._fields))

    def bound(self) -> float:
        """Rows per second of the SavedModel on tensors that are ready, in this process, at its best batch size."""
        from emberline.features.tensors import encoded_tensors, raw_tensors
        from emberline.pipelines.saved_model.signature import open_signature

        table = pq.read_table(next(Path(self._all).glob("*.parquet")))
        speeds = []
        for signature in ("serving_default", "serve_encoded"):
            _, spec, call = open_signature(str(self._folder / "version" / "model"), (signature,))
            fields = self._schema.subset(set(spec) & set(self._fields))
            for batch in BOUND_SIZES:
                (rows,) = table.slice(0, batch).combine_chunks().to_batches()
                encoded = signature == "serve_encoded"
                inputs = encoded_tensors(rows, fields, spec) if encoded else raw_tensors(rows, fields)
                for _ in range(3):
                    call(inputs)
                times = max(3, 100_000 // batch)
                speeds.append(times * rows.num_rows / seconds(lambda: [call(inputs) for _ in range(times)]))  # noqa: B023
        return max(speeds)

    def _written(self, rows: str, prediction: Any) -> float:
        given = self._spark.read.parquet(rows)
        scored = given.select("row", prediction.alias("p")).select("row", "p.*", F.lit(1).alias("model"))
        out = str(self._folder / "theirs")  # what is no folder of predictions is not replaced by ours
        return self._speed(rows, out, lambda: scored.write.mode("overwrite").parquet(out))

    def _speed(self, rows: str, out: str, action: Callable[[], object]) -> float:
        took = seconds(action)
        given, found = (self._spark.read.parquet(uri).count() for uri in (rows, out))
        if found != given:
            raise RuntimeError(f"{found} of {given} rows were scored.")
        return found / took


def _as_mlflow_takes_it(field: Field) -> Column:
    """MLflow hands texts that are null to TensorFlow as they are, which refuses them; arrays have to be of doubles."""
    column = F.col(field.name)
    if field.kind == "string":
        return F.coalesce(column, F.lit("")).alias(field.name)
    return column.cast(field.spark_type).alias(field.name) if field.shape else column


def _make_predict(model: str, schema: Schema) -> Callable[[], Callable[..., dict[str, np.ndarray]]]:
    fields = [(field.name, field.kind) for field in schema.fields]

    def make() -> Callable[..., dict[str, np.ndarray]]:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        loaded = tf.saved_model.load(model)
        call = loaded.signatures["serving_default"]
        wanted = call.structured_input_signature[1]

        def predict(*columns: np.ndarray) -> dict[str, np.ndarray]:
            inputs = {}
            for (name, kind), column in zip(fields, columns, strict=True):
                if name in wanted:
                    if kind == "string":
                        column = np.where(column == None, "", column)  # noqa: E711  # element by element
                    inputs[name] = tf.constant(column, tf.string if kind == "string" else tf.float64)
            return {key: value.numpy() for key, value in call(**inputs).items()}

        predict.loaded = loaded  # type: ignore[attr-defined]  # a signature does not keep its model alive
        # Spark counts the columns that a function takes.
        parameters = [inspect.Parameter(f"c{index}", inspect.Parameter.POSITIONAL_ONLY) for index in range(len(fields))]
        predict.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return predict

    return make


def measure(size: Size, only: str) -> None:
    """Measures, and prints the table and the JSON line."""
    repeats, kinds = size.of(3, 3, 1), scoring_models.kinds()
    work = Path(tempfile.mkdtemp(prefix="emberline-benchmark-"))
    found, bounds = {}, {}
    try:
        with session("benchmark scoring", "local[2]", {"spark.driver.memory": "4g"}) as spark:
            for kind in size.of(kinds, kinds, kinds[:2]):
                tabular = kind.name == "tabular"
                if only and tabular != (only == "tabular"):
                    continue
                job = Job(spark, work / kind.name, kind, size)
                bounds[kind.name] = job.bound()
                if tabular:
                    found[f"{kind.name}_vs_predict_batch_udf"] = compare(
                        job.ours, job.predict_batch_udf(), repeats=repeats
                    )
                found[f"{kind.name}_vs_spark_udf"] = compare(job.ours, job.spark_udf(), repeats=repeats)
                shutil.rmtree(work / kind.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print_table(found)
    for name, speed in bounds.items():
        mine = max(statistics.median(found[key].ours) for key in found if key.startswith(name))
        theirs = statistics.median(found[f"{name}_vs_spark_udf"].theirs)
        print(
            f"{name}, bound: {speed:,.0f} rows/s by the SavedModel on ready tensors, one process on all cores, "
            f"{speed / theirs:.1f} times spark_udf; ours is {mine / speed:.0%} of it"
        )
    rounded = {name: round(speed) for name, speed in bounds.items()}
    print_json("scoring", {key: comparison.ratios for key, comparison in found.items()}, size, bounds=rounded)


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, "fewer rows")
    parser.add_argument("--only", choices=("", "tabular", "pictures"), default="", help="some of the models")
    given = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    measure(given.size, given.only)


if __name__ == "__main__":
    main()
