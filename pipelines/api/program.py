"""Any TensorFlow program on executors, from Python."""

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from emberline.features.dataset_version import DatasetVersion
from emberline.pipelines.api.dataset import Dataset
from emberline.pipelines.api.notebook import place_of, readable, session_or, tracker_of
from emberline.pipelines.api.steps import uri_of_dataset
from emberline.pipelines.etl import EtlResult
from emberline.pipelines.launch import ENDLESS_SECONDS, LaunchResult, launch
from emberline.pipelines.program.context import Context


@readable
def distribute(
    main_fun: Callable[[Any, Context], Any],
    args: Any = None,
    *,
    workers: int = 2,
    parameter_servers: int = 0,
    dataset: "str | EtlResult | Dataset | DatasetVersion | None" = None,
    rows: DataFrame | None = None,
    output: str | None = None,
    name: str = "",
    max_restarts: int = 2,
    stall_seconds: int = ENDLESS_SECONDS,
    tracking: str | None = None,
    spark: SparkSession | None = None,
) -> LaunchResult:
    """Runs `main_fun(args, context)` in a process of its own on every executor; see `emberline.pipelines.launch`.

    Args:
        main_fun: The program. One of a script or of a notebook's cell travels as code, one of a module by its name.
        args: Its arguments: plain values, a mapping or a namespace.
        workers: Ranks that train; with parameter servers, one more is the chief.
        parameter_servers: Ranks that hold variables.
        dataset: A dataset version, for `context.batches(...)`.
        rows: A DataFrame, for `context.rows()` and `context.get_data_feed()`.
        output: URI of the program's folder; one that is there is gone on in. Default: a new one in the workspace.
        name: Of experiment and run; default: the function's.
        max_restarts: How often all ranks start again.
        stall_seconds: Given up when nothing was printed or logged for so long.
        tracking: MLflow store; default: the session's.
        spark: Default: the active session, or a new one.

    Raises:
        BadInputError: if the program cannot travel, or the dataset version is not complete.
        ClusterError: if a rank fails, with its traceback.
    """
    name = name or getattr(main_fun, "__name__", "program")
    return launch(
        session_or(spark),
        main_fun,
        place_of(output, name, "programs"),
        tracker_of(tracking),
        name=name,
        arguments=args,
        workers=workers,
        parameter_servers=parameter_servers,
        dataset=uri_of_dataset(dataset) if dataset is not None else "",
        rows=rows,
        max_restarts=max_restarts,
        stall_seconds=stall_seconds,
    )
