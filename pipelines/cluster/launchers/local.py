"""All ranks as child processes of the driver: the same training without a cluster, to look at what it does."""

import threading
from collections.abc import Callable

from pyspark.sql import SparkSession

from emberline.pipelines.cluster.door import reserved_port
from emberline.pipelines.cluster.launchers import Launched, LaunchError, Node
from emberline.pipelines.cluster.roles import tf_config
from emberline.pipelines.cluster.worker import WorkerFailedError, work

END_SECONDS = 30
"""How long processes that were killed may take to be gone."""


class _Children:
    def __init__(self, node: Node, on_failure: Callable[[str], None]) -> None:
        self._failure = ""
        ports = [reserved_port() for _ in node.roles]
        addresses = [f"127.0.0.1:{port.getsockname()[1]}" for port in ports]

        def run(rank: int) -> None:
            # The GPUs are those that this machine shows the driver.
            variables = {"TF_CONFIG": tf_config(node.roles, addresses, rank)}
            dispensable = node.roles[rank] == node.dispensable
            try:
                work(
                    node.module,
                    node.assignment,
                    node.address,
                    node.secret,
                    rank,
                    ports[rank].close,
                    variables,
                    dispensable=dispensable,
                )
            except (WorkerFailedError, OSError) as error:
                self._failure = str(error)
                on_failure(self._failure)
            finally:
                ports[rank].close()

        self._threads = [
            threading.Thread(target=run, args=(rank,), name=f"emberline-rank-{rank}", daemon=True)
            for rank in range(len(node.roles))
        ]
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        for thread in self._threads:
            thread.join()
        if self._failure:
            raise LaunchError(f"The training was done, but its process failed: {self._failure}")

    def cancel(self) -> None:
        for thread in self._threads:
            thread.join(END_SECONDS)  # the control channel's "stop" has killed the processes


def launch(spark: SparkSession, node: Node, on_failure: Callable[[str], None]) -> Launched:
    """Starts the ranks; see `emberline.pipelines.cluster.launchers.launch`; uses nothing of the session."""
    return _Children(node, on_failure)
