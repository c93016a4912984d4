"""Ways to start one process per rank on a cluster's executors, under one contract.

A launcher is a module with `launch(spark, workers, node) -> Launched`: it runs `work` of
`pipelines.training.worker` once per rank, ranks 0 … workers - 1 on as many executors, each with `TF_CONFIG` set and
its own address in it held until the rank is about to bind it. Ranks speak to the driver through the control channel;
a launcher says only whether the executors' tasks came to an end.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

Launcher = Literal["tensorflowonspark", "barrier"]


class LaunchError(RuntimeError):
    """Executors did not form a cluster, or their tasks ended badly.

    Args:
        message: What happened.
        transient: Whether another attempt may do better.
    """

    def __init__(self, message: str, *, transient: bool = True) -> None:
        super().__init__(message)
        self.transient = transient


@dataclass(frozen=True)
class Node:
    """What every rank is told; plain values, sent inside Spark's task closure.

    Args:
        assignment: `pipelines.training.assignment.Assignment` as JSON.
        address: The driver's control address.
        secret: The control channel's secret.
    """

    assignment: str
    address: tuple[str, int]
    secret: str


class Launched(Protocol):
    """Tasks on executors."""

    def wait(self) -> None:
        """Returns when every rank's task has ended.

        Raises:
            LaunchError: if one ended badly.
        """

    def cancel(self) -> None:
        """Ends the tasks, whatever they do, and returns when the executors are free."""


def launch(
    launcher: Launcher, spark: "SparkSession", workers: int, node: Node, on_failure: Callable[[str], None]
) -> Launched:
    """Starts the ranks.

    Args:
        launcher: Which way.
        spark: The session.
        workers: Ranks to start.
        node: What they are told.
        on_failure: Called, perhaps from another thread, when the tasks end badly before `wait` is called.

    Raises:
        LaunchError: if the executors do not come together.
    """
    module = importlib.import_module(f"{__name__}.{launcher}")
    return cast(Launched, module.launch(spark, workers, node, on_failure))
