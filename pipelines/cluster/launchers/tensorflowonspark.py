"""TensorFlowOnSpark's nodes as ranks; the only module that imports it, from the extra of that name."""

import logging
import re
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pyspark import SparkContext
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.cluster.launchers import Launched, LaunchError, Node
from emberline.pipelines.cluster.roles import tf_config
from emberline.pipelines.cluster.worker import work
from emberline.pipelines.runtime.gpus import visible_gpus

RESERVATION_SECONDS = 300
"""How long executors may take to register as nodes, Python start-up included."""

FREE_SECONDS = 30
"""How long cancelled tasks may take to leave their executors."""

MISSING = "No module named '(?:tensorflowonspark|pkg_resources)'"
"""In the words of a failed task: its executor does not have the library, or not with the setuptools that it needs."""

NEEDS = (
    "training.launcher=tensorflowonspark needs TensorFlowOnSpark, here and on executors. Install it with "
    "pip install 'emberline[tensorflowonspark]', or use --set training.launcher=barrier, the default, which needs no "
    "further package."
)


class _Cluster:
    def __init__(self, context: SparkContext, cluster: Any) -> None:
        self._context = context
        self._cluster = cluster

    def wait(self) -> None:
        try:
            self._cluster.shutdown(timeout=-1)
        except SystemExit as error:  # its way of saying that a node's task failed after its work was done
            raise LaunchError("All workers finished, but a node did not shut down.") from error

    def cancel(self) -> None:
        self._cluster.server.stop()
        cancel_jobs(self._context)


def library() -> Any:
    """Returns TensorFlowOnSpark's module `TFCluster`.

    Raises:
        BadInputError: if it cannot be imported here.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports pkg_resources, which warns whoever does
            from tensorflowonspark import TFCluster
    except ImportError as error:  # itself, or pkg_resources, which setuptools from 81 on does not have
        raise BadInputError(f"{error}. {NEEDS}") from error
    _quiet()
    return TFCluster


def launch(spark: SparkSession, node: Node, on_failure: Callable[[str], None]) -> Launched:
    """Starts the ranks; see `emberline.pipelines.cluster.launchers.launch`; needs a classic session."""
    TFCluster = library()  # noqa: N806 - a module
    TFCluster.tf_status.clear()  # it remembers the failure of an earlier attempt in this process
    context = spark.sparkContext
    try:
        cluster = TFCluster.run(
            context,
            _rank,
            asdict(node),  # plain values: it looks for a member `num_gpus` in whatever it is given
            num_executors=len(node.roles),
            # Its own parameter servers sit in a process between, which nobody watches: to it all are workers.
            num_ps=0,
            input_mode=TFCluster.InputMode.TENSORFLOW,
            master_node="chief",
            reservation_timeout=RESERVATION_SECONDS,
            release_port=False,
        )
    except (Exception, SystemExit) as error:  # it exits the interpreter when a node fails to register
        if missing := re.search(MISSING, str(TFCluster.tf_status.get("error", ""))):
            raise BadInputError(f"An executor says: {missing[0]}. {NEEDS}") from error
        # It has also stopped the session by now: there is nothing left to try again with.
        raise LaunchError(f"Executors did not form a cluster: {error}", transient=False) from error
    return _Cluster(context, cluster)


def _rank(told: dict[str, Any], place: Any) -> None:
    """Runs on an executor, as TensorFlowOnSpark's main function."""
    rank = 0 if place.job_name == "chief" else place.task_index + 1
    roles, spec = told["roles"], place.cluster_spec
    addresses = [*spec["chief"], *spec.get("worker", [])]
    work(
        told["module"],
        told["assignment"],
        tuple(told["address"]),
        told["secret"],
        rank,
        place.release_port,
        {"TF_CONFIG": tf_config(roles, addresses, rank)} | visible_gpus(),
        dispensable=roles[rank] == told["dispensable"],
    )


def cancel_jobs(context: SparkContext) -> None:
    """Ends all jobs of the application and waits until none runs."""
    context.cancelAllJobs()
    deadline = time.monotonic() + FREE_SECONDS
    while context.statusTracker().getActiveStageIds() and time.monotonic() < deadline:
        time.sleep(0.2)


def _quiet() -> None:
    logging.getLogger("py4j").setLevel(logging.WARNING)  # it configures everybody's logging as it is imported
    for name in ("tensorflowonspark", "tensorflowonspark.TFCluster", "tensorflowonspark.reservation"):
        # Not even its errors: what failed reaches the driver through the control channel, with its traceback.
        logging.getLogger(name).setLevel(logging.CRITICAL)
