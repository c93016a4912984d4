"""Whether a cluster can hold a training, worked out before anything starts."""

import re
import time
from dataclasses import dataclass, replace

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.runtime.executors import registered_executors

STANDALONE_SECONDS, MANAGED_SECONDS = 20, 300
"""How long the next executor is waited for: standalone workers start one at once, others may have to find machines.

For the first one standalone workers are given as long: while none comes, other applications have all of them."""


class ClusterSizeError(BadInputError):
    """The cluster cannot hold the training, however often it is tried."""


class ClusterBusyError(RuntimeError):
    """The cluster gave no executor at all; another time it may."""


@dataclass(frozen=True)
class Capacity:
    """What executors there are.

    Args:
        executors: How many.
        cores: Of all of them together.
        slots: Tasks they can run at a time.
    """

    executors: int
    cores: int
    slots: int

    def holds(self, gang: Gang) -> bool:
        """Returns whether all ranks, and a feeder if Spark feeds them, can run at once."""
        # TensorFlowOnSpark wants an executor for each rank.
        if gang.training.launcher == "tensorflowonspark" and self.executors < len(gang):
            return False
        return self.slots >= len(gang) + _feeders(gang)


def _feeders(gang: Gang) -> int:
    return int(gang.training.input == "spark")


def require_room(spark: SparkSession, gang: Gang, *, first_within: float = MANAGED_SECONDS) -> None:
    """Refuses a cluster that cannot hold all ranks at once, before anything starts.

    Args:
        spark: The session.
        gang: What is to run.
        first_within: Seconds that a cluster has for its first executor.

    Raises:
        ClusterSizeError: with the arithmetic.
        ClusterBusyError: if no executor came, which says nothing about how many there might be.
    """
    training = gang.training
    if training.input == "spark" and spark.conf.get("spark.speculation", "false") == "true":
        raise ClusterSizeError("A speculative task would feed its rows twice: set spark.speculation=false.")
    if training.mode == "local":
        return
    if spark.conf.get("spark.dynamicAllocation.enabled", "false") == "true":
        raise ClusterSizeError("Training holds its executors: set spark.dynamicAllocation.enabled=false.")
    _require_gpus(spark, gang)
    ranks, feeders = len(gang), _feeders(gang)
    found = _registered(spark, gang, first_within)
    if found is None or found.holds(gang):
        return
    master = spark.conf.get("spark.master", "")
    cpus = _task_cpus(spark)
    exists = (
        f"{master} has {found.executors} executor{'s' if found.executors != 1 else ''} of {found.cores} cores together"
    )
    if training.launcher == "tensorflowonspark" and found.executors < ranks:
        needs = f"Training needs {ranks} executors ({gang}; TensorFlowOnSpark wants one for each)"
        fits = found.executors
    else:
        fed = ", and one for the job that feeds them" if feeders else ""
        needs = f"Training needs {ranks + feeders} slots ({gang}{fed})"
        gpus = _gpu_amount(spark, "task")
        beside = f" and spark.task.resource.gpu.amount={gpus:g}" if gpus else ""
        exists += f", which with spark.task.cpus={cpus}{beside} is {found.slots} slot{'s' if found.slots != 1 else ''}"
        fits = found.slots - feeders
    fits -= ranks - training.workers  # what the workers leave to others
    advice = [f"--master 'local-cluster[{ranks + feeders},1,2048]'", "a larger cluster", "--set training.mode=local"]
    if fits > 0:
        advice.insert(2, f"--set training.workers={fits}")
    if feeders:
        advice.insert(2, "--set training.input=tensorflow")
    raise ClusterSizeError(f"{needs}, and {exists}. Use {', '.join(advice[:-1])}, or {advice[-1]}.")


def slots_beside(spark: SparkSession, gang: Gang) -> int | None:
    """Returns the task slots that a training leaves to other jobs, None if unknown; executors get time to start.

    Args:
        spark: The session.
        gang: What is to run.

    Raises:
        ClusterSizeError: if the training itself has no room.
        ClusterBusyError: see `require_room`.
    """
    require_room(spark, gang)
    # One that is fed is waited for until there is a slot for another job too.
    fed = replace(gang, training=replace(gang.training, input="spark"))
    found = _registered(spark, fed, MANAGED_SECONDS)
    return found.slots - len(gang) if found else None


def _require_gpus(spark: SparkSession, gang: Gang) -> None:
    """Whole GPUs for every task, as many as the recipe asks for."""
    task = _gpu_amount(spark, "task")
    if task != int(task):
        raise ClusterSizeError(
            f"spark.task.resource.gpu.amount={task:g}: {1 / task:g} tasks would share a GPU, and a training process "
            "takes whole ones. Set it to 1 or more."
        )
    wanted = gang.training.gpus_per_worker
    if wanted and task != wanted:
        ranks = len(gang)
        raise ClusterSizeError(
            f"training.gpus_per_worker={wanted} for {ranks} process{'es' if ranks > 1 else ''} "
            f"({gang}) is {ranks * wanted} GPUs, and Spark gives each task {int(task)}. Submit with "
            f"--conf spark.executor.resource.gpu.amount={wanted} --conf spark.task.resource.gpu.amount={wanted} "
            "(executors without discovered GPUs need spark.executor.resource.gpu.discoveryScript too), or --set "
            f"training.gpus_per_worker={int(task)}."
        )


def _registered(spark: SparkSession, gang: Gang, first_within: float) -> Capacity | None:
    """The executors there are, or None where nobody can say; those of a cluster are given time to come up."""
    master = str(spark.conf.get("spark.master", ""))
    if cluster := re.fullmatch(r"local-cluster\[\s*(\d+)\s*,\s*(\d+)\s*,.*\]", master):
        return _capacity(spark, [int(cluster[2])] * int(cluster[1]))
    try:
        context = spark.sparkContext
    except (AttributeError, PySparkException):
        # Spark Connect keeps the cluster out of sight; Spark refuses a barrier stage that does not fit.
        return None
    if master.startswith("local"):
        return _capacity(spark, [context.defaultParallelism])
    next_within = STANDALONE_SECONDS if master.startswith("spark://") else MANAGED_SECONDS
    known, heard = -1, time.monotonic()
    while True:
        executors = [item for item in registered_executors(context) if item.id() != "driver"]
        found = _capacity(spark, [item.totalCores() for item in executors])
        if found.executors != known:
            known, heard = found.executors, time.monotonic()
        if found.holds(gang):
            return found
        if time.monotonic() - heard > (next_within if found.executors else first_within):
            if not found.executors:
                raise ClusterBusyError(
                    f"{master} gave no executor in {first_within:.0f} s: others have all of its cores or memory, or "
                    "it has no workers. Try again when they are done; look at the cluster's own page."
                )
            return found
        time.sleep(0.5)


def _capacity(spark: SparkSession, cores: list[int]) -> Capacity:
    """Counts slots as Spark does: by cores, and by GPUs where tasks ask for them."""
    cpus, gpus = _task_cpus(spark), _gpu_amount(spark, "task")
    by_gpus = int(_gpu_amount(spark, "executor") // gpus) if gpus else None
    slots = [count // cpus if by_gpus is None else min(count // cpus, by_gpus) for count in cores]
    return Capacity(len(cores), sum(cores), sum(slots))


def _task_cpus(spark: SparkSession) -> int:
    return int(spark.conf.get("spark.task.cpus", "1") or 1)


def _gpu_amount(spark: SparkSession, of: str) -> float:
    return float(spark.conf.get(f"spark.{of}.resource.gpu.amount", "0") or 0)
