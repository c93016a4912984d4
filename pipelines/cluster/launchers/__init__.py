"""Ways to start one process per rank, under one contract.

A launcher is a module with `launch(spark, node, on_failure) -> Launched`: it runs `work` of
`emberline.pipelines.cluster.worker` once per rank of `node.roles`, on as many tasks of executors, each with `TF_CONFIG`
set and its own address in it held until the rank is about to bind it. Ranks speak to the driver through the control
channel; a launcher says only whether their tasks came to an end.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from emberline.pipelines.cluster.roles import Role
    from emberline.pipelines.recipe import Training


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
    """The instructions for every rank: plain values, sent inside Spark's task closure.

    Args:
        module: What a rank runs, as `python -m` takes it.
        assignment: Its instructions, as JSON.
        address: The driver's control address.
        secret: The control channel's secret.
        roles: Of all ranks.
        dispensable: Role whose ranks may be lost without ending the others, if any.
    """

    module: str
    assignment: str
    address: tuple[str, int]
    secret: str
    roles: "tuple[Role, ...]"
    dispensable: "Role | None" = None


class Launched(Protocol):
    """Tasks on executors."""

    def wait(self) -> None:
        """Returns when every rank's task has ended.

        Raises:
            LaunchError: if one ended badly.
        """

    def cancel(self) -> None:
        """Ends the tasks, whatever they do, and returns when the executors are free."""


def require_launcher(training: "Training") -> None:
    """Refuses a launcher whose library is not installed here, before anything starts.

    Args:
        training: Names the launcher; none is used in `mode=local`.

    Raises:
        BadInputError: with the extra that brings the library, and the launcher that does without.
    """
    if training.mode != "local" and training.launcher == "tensorflowonspark":
        importlib.import_module(f"{__name__}.tensorflowonspark").library()


def launch(launcher: str, spark: "SparkSession", node: Node, on_failure: Callable[[str], None]) -> Launched:
    """Starts the ranks.

    Args:
        launcher: Which way.
        spark: The session.
        node: The instructions for the ranks.
        on_failure: Called, perhaps from another thread, when the tasks end badly before `wait` is called.

    Raises:
        LaunchError: if the executors do not come together.
        BadInputError: if the launcher's library is not installed, here or on executors.
    """
    module = importlib.import_module(f"{__name__}.{launcher}")
    return cast(Launched, module.launch(spark, node, on_failure))
