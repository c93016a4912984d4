"""Any TensorFlow program on executors: `TF_CONFIG`, a share of the data, a folder, restarts, and one MLflow run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.dataset_version import open_version
from emberline.features.errors import BadInputError
from emberline.pipelines.cluster.capacity import require_room
from emberline.pipelines.cluster.gang import DRIVER, train_on_cluster
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.datasets.raw_source import folders_read
from emberline.pipelines.program.assignment import Assignment, Script
from emberline.pipelines.program.rank import settings
from emberline.pipelines.runtime.claim import claim
from emberline.pipelines.runtime.output_folder import require_apart, require_folder
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.runtime.shown import ShownAsTable
from emberline.pipelines.tracking import Run, Tracker

ROWS = "rows"
"""Folder of the DataFrame that a program is fed, below its output."""

ENDLESS_SECONDS = 7 * 24 * 3600
"""A program need not report progress; its ranks send signs of life anyway."""


@dataclass(frozen=True, repr=False)
class LaunchResult(ShownAsTable):
    """What a program came to.

    Args:
        output: URI of its folder.
        run_id: MLflow run.
        result: What the chief returned, if it can be told in JSON.
        metrics: The last that the chief logged.
        restarts: How often all ranks started again.
    """

    output: str
    run_id: str
    result: Any = None
    metrics: dict[str, float] = field(default_factory=dict)
    restarts: int = 0


def launch(
    spark: SparkSession,
    program: "Callable[[Any, Any], Any] | Script",
    output: str,
    tracker: Tracker,
    *,
    name: str,
    arguments: Any = None,
    workers: int = 2,
    parameter_servers: int = 0,
    dataset: str = "",
    rows: DataFrame | None = None,
    max_restarts: int = 2,
    stall_seconds: int = ENDLESS_SECONDS,
) -> LaunchResult:
    """Runs a program in a process of its own on every executor, and returns when all are done.

    Without parameter servers every rank runs it, the first as chief. With some, the chief alone does, and the others
    serve it (`tf.distribute.ParameterServerStrategy`); a worker that is lost is done without.

    Args:
        spark: The session; a task slot per rank.
        program: A function of `arguments` and `emberline.pipelines.program.context.Context`, or a script.
        output: URI of a folder. One that is there is gone on in: the program finds its checkpoints.
        tracker: Where the run is recorded.
        name: Of the program: its experiment and run.
        arguments: What the function gets first; a mapping or a namespace is logged as settings.
        workers: Ranks that train; with parameter servers, one more is the chief.
        parameter_servers: Ranks that hold variables.
        dataset: URI of a dataset version, for `Context.batches`.
        rows: A DataFrame for `Context.rows` and `get_data_feed`; it is written below `output` first.
        max_restarts: How often all ranks start again after one was lost or failed for a reason that may pass.
        stall_seconds: Given up when nothing was printed or logged for so long.

    Raises:
        BadInputError: if the dataset version is not complete, the program cannot travel, or the output overlaps with
            what is read.
        OutputBusyError: if another process runs a program at this output.
        ClusterSizeError: if the cluster has no room for all ranks at once.
        ClusterError: if a rank fails, with its traceback.
    """
    if workers < 1 or parameter_servers < 0:
        raise BadInputError(f"Expected 1 worker or more and 0 servers or more, got {workers} and {parameter_servers}.")
    training = replace(settings(workers, parameter_servers), max_restarts=max_restarts, stall_seconds=stall_seconds)
    gang = Gang.of(training)
    require_apart(output, {"--dataset": dataset})
    require_folder(output)
    if dataset:
        open_version(dataset)
    require_room(spark, gang)
    params = _logged(arguments, program) | {"workers": workers, "parameter_servers": parameter_servers}
    tags = {"emberline.output": output} | ({"emberline.dataset": dataset} if dataset else {})
    with (
        claim(output),
        tracker.step(name, "launch", spark=spark, name=name, keep=output, params=params, tags=tags) as run,
    ):
        fed = _fed(rows, storage.join(output, ROWS)) if rows is not None else ""
        record = _Record(run, Progress("launch"))
        assignment = Assignment(
            program=program,
            arguments=arguments,
            output=output,
            dataset=dataset,
            rows=fed,
            workers=workers,
            parameter_servers=parameter_servers,
            threads=int(spark.conf.get("spark.task.cpus", "1") or 1),
            run=run.id,
        )
        train_on_cluster(spark, assignment, gang=gang, on_event=record)
        return LaunchResult(output, run.id, record.result, record.metrics, record.restarts)


def _fed(rows: DataFrame, target: str) -> str:
    """Writes the DataFrame that a program is fed; returns where.

    Raises:
        BadInputError: if it is read from there, or something else is there.
    """
    require_apart(target, folders_read(rows))
    foreign = [name for name in storage.list_names(target) if not name.startswith(("part-", "_", "."))]
    if foreign:
        raise BadInputError(
            f"The rows for the program are written to {target!r}, and {foreign[0]!r} there is not ours. Choose another "
            "output, or move it."
        )
    rows.write.mode("overwrite").parquet(target)
    return target


def read_script(path: str, arguments: Sequence[str] = ()) -> Script:
    """Reads the script that is to be launched.

    Raises:
        BadInputError: if it is no Python file.
    """
    file = Path(path)
    if not file.is_file() or file.suffix != ".py":
        raise BadInputError(f"No Python file at {path!r}. Give a file that ends in .py.")
    return Script(path=str(file), text=file.read_text(), arguments=tuple(arguments))


class _Record:
    """Hears what the ranks say."""

    def __init__(self, run: Run, progress: Progress) -> None:
        self._run = run
        self._progress = progress
        self.result: Any = None
        self.metrics: dict[str, float] = {}
        self.restarts = 0

    def __call__(self, rank: int, event: dict[str, Any]) -> None:
        match event["event"]:
            case "restart":
                self.restarts = event["attempt"]
                self._run.log_metrics({"restarts": event["attempt"]})
                self._progress.say(f"warning: {_last(event['reason'])} Starting all ranks again ({event['attempt']}).")
            case "worker lost" if rank == DRIVER:
                self._progress.say(f"warning: {_last(event['reason'])} Going on with {event['left']} others.")
            case "said":
                self._progress.say(event["text"])
            case "metrics":
                self.metrics |= event["values"]
                self._run.log_metrics(event["values"], event["step"])
            case "result":
                self.result = event["result"]


def _last(reason: str) -> str:
    return reason.strip().splitlines()[-1][:300]


def _logged(arguments: Any, program: Any) -> dict[str, Any]:
    """Arguments as settings of the run."""
    if isinstance(program, Script):
        return {"script": program.path, "arguments": " ".join(program.arguments)}
    named = arguments if isinstance(arguments, Mapping) else getattr(arguments, "__dict__", {})
    return {str(key): value for key, value in named.items() if isinstance(value, str | int | float | bool)}
