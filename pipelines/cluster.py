"""The training cluster: TensorFlowOnSpark turns executors into nodes; the only module that imports it.

TensorFlowOnSpark reserves one node per executor and tells each about the others. What it lacks is added here:
its own process for TensorFlow on each node, events as they happen, the first failure with its traceback at
the driver at once, and the end of all other nodes when one fails or falls silent.
"""

import logging
import queue
import re
import time
import warnings
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession

from features.errors import BadInputError
from pipelines.training.assignment import Assignment
from pipelines.training.control import ControlServer
from pipelines.training.worker import work

RESERVATION_SECONDS = 300
"""How long executors may take to register as nodes, Python start-up included."""

LAST_WORDS_SECONDS = 3
"""How long a lost worker's own account of its failure is waited for."""

Event = dict[str, Any]


class ClusterError(RuntimeError):
    """Training did not end well; the message carries the first failing worker's words. A re-run resumes."""


class ClusterSizeError(BadInputError):
    """The cluster cannot hold the training, however often it is tried."""


def train_on_cluster(
    spark: SparkSession,
    assignment: Assignment,
    *,
    workers: int,
    stall_seconds: int,
    on_event: Callable[[int, Event], None],
) -> None:
    """Runs one training on `workers` executors and returns when all ranks are done.

    Args:
        spark: A classic session (TensorFlowOnSpark needs its context).
        assignment: What to train.
        workers: Executors to use, one rank each.
        stall_seconds: Silence from every rank after which the training is given up.
        on_event: Called in this thread with rank and event.

    Raises:
        ClusterSizeError: if the cluster cannot hold that many ranks.
        ClusterError: if a rank fails, is lost or falls silent.
    """
    require_slots(spark, workers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it imports pkg_resources, which warns whoever does
        from tensorflowonspark import TFCluster

    _quiet_tensorflowonspark()
    context = spark.sparkContext
    server = ControlServer(context.getConf().get("spark.driver.host", "localhost") or "localhost", workers)
    arguments = {"assignment": assignment.to_json(), "address": server.address, "secret": server.secret}
    cluster = None
    try:
        try:
            cluster = TFCluster.run(
                context,
                _node,
                arguments,
                num_executors=workers,
                num_ps=0,
                input_mode=TFCluster.InputMode.TENSORFLOW,
                master_node="chief",
                reservation_timeout=RESERVATION_SECONDS,
                release_port=False,
            )
        except (Exception, SystemExit) as error:  # it exits the interpreter when a node fails to register
            raise ClusterError(_first_failure(server) or f"Executors did not form a cluster: {error}") from error
        _follow(server, workers, stall_seconds, on_event)
    except BaseException:
        server.stop_workers()
        context.cancelAllJobs()
        if cluster:
            cluster.server.stop()
        raise
    finally:
        server.close()
    try:
        cluster.shutdown(timeout=-1)
    except SystemExit as error:  # its way of saying that a node's task failed after its work was done
        raise ClusterError(f"All workers finished, but a node did not shut down: {TFCluster.tf_status}") from error


def _node(arguments: dict[str, Any], node: Any) -> None:
    """Runs on an executor, as TensorFlowOnSpark's main function."""
    rank = 0 if node.job_name == "chief" else node.task_index + 1
    work(arguments["assignment"], tuple(arguments["address"]), arguments["secret"], rank, node.release_port)


def _follow(server: ControlServer, workers: int, stall_seconds: int, on_event: Callable[[int, Event], None]) -> None:
    trained: set[int] = set()
    finished: set[int] = set()
    while len(finished) < workers:
        try:
            rank, event = server.events.get(timeout=stall_seconds)
        except queue.Empty:
            raise ClusterError(
                f"No worker has reported for {stall_seconds} s (training.stall_seconds); "
                f"{workers - len(finished)} of {workers} had not finished. Re-run to resume from the last checkpoint."
            ) from None
        match event["event"]:
            case "trained":
                trained.add(rank)
                if len(trained) == workers:
                    server.finish_workers()
            case "finished":
                finished.add(rank)
            case "failed" | "error":
                raise ClusterError(_failure(rank, event))
            case "lost" if rank not in finished:
                raise ClusterError(_first_failure(server) or f"Worker {rank} was lost: its executor is gone.")
            case "lost":
                continue
            case _:
                on_event(rank, event)


def _first_failure(server: ControlServer) -> str | None:
    """What the first failing worker said, if any word arrives in time."""
    deadline = time.monotonic() + LAST_WORDS_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        try:
            rank, event = server.events.get(timeout=left)
        except queue.Empty:
            return None
        if event["event"] in ("failed", "error"):
            return _failure(rank, event)
    return None


def _failure(rank: int, event: Event) -> str:
    return f"Worker {rank} failed: {str(event.get('traceback') or event.get('reason')).strip()}"


def require_slots(spark: SparkSession, workers: int) -> None:
    """Refuses a cluster that cannot hold the ranks, before anything starts.

    Raises:
        ClusterSizeError: with the arithmetic.
    """
    context = spark.sparkContext
    if context.getConf().get("spark.dynamicAllocation.enabled", "false") == "true":
        raise ClusterSizeError("Training holds its executors: set spark.dynamicAllocation.enabled=false.")
    master = str(context.master)
    if cluster := re.fullmatch(r"local-cluster\[\s*(\d+)\s*,.*\]", master):
        executors = int(cluster[1])
    elif master.startswith("local"):
        executors = 1
    else:
        return  # executors may still be registering; TensorFlowOnSpark waits for them
    if executors < workers:
        raise ClusterSizeError(
            f"Training needs {workers} executors, one per worker, and {master} has {executors}. "
            f"Use --master 'local-cluster[{workers},1,2048]', a cluster, or --set training.workers={executors}."
        )


def _quiet_tensorflowonspark() -> None:
    logging.getLogger("py4j").setLevel(logging.WARNING)  # it configures everybody's logging as it is imported
    for name in ("tensorflowonspark", "tensorflowonspark.TFCluster", "tensorflowonspark.reservation"):
        # Not even its errors: what failed reaches the driver through the control channel, with its traceback.
        logging.getLogger(name).setLevel(logging.CRITICAL)
