"""How ranks compute together: TensorFlow's strategy for each mode, the GPUs of this process and its threads."""

import json
import os
import threading
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Training


def prepare_devices(training: Training, threads: int) -> None:
    """Sets threads and GPU memory; before anything else uses TensorFlow.

    Args:
        training: What the recipe asks for.
        threads: CPU threads for this process; 0 for all cores.

    Raises:
        BadInputError: if this process has fewer GPUs than the recipe asks for.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(_inter_op_threads(training, threads))
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)  # two processes may meet on one during a restart
    if len(gpus) < training.gpus_per_worker:
        shown = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
        raise BadInputError(
            f"training.gpus_per_worker={training.gpus_per_worker}, and TensorFlow finds {len(gpus)} GPUs in this "
            f"process (CUDA_VISIBLE_DEVICES={shown!r}). Look at the driver and the "
            "CUDA libraries of this machine, or --set training.gpus_per_worker=0."
        )


def make_strategy(training: Training) -> tf.distribute.Strategy:
    """Returns the strategy of a rank that trains."""
    gpus = tf.config.list_physical_devices("GPU")
    if training.mode == "async":
        return tf.distribute.ParameterServerStrategy(tf.distribute.cluster_resolver.TFConfigClusterResolver())
    if training.mode == "sync" and training.workers > 1:
        ways = tf.distribute.experimental.CommunicationImplementation
        options = tf.distribute.experimental.CommunicationOptions(implementation=ways.NCCL if gpus else ways.RING)
        return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)
    return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()


def serve(training: Training, threads: int, report: Callable[[dict[str, Any]], None]) -> None:
    """Serves the chief of mode `async`, as a worker or a parameter server, until the process is ended."""
    config = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=threads, inter_op_parallelism_threads=_inter_op_threads(training, threads)
    )
    config.gpu_options.allow_growth = True
    task = tf_config_task()
    cluster = tf.train.ClusterSpec(json.loads(os.environ["TF_CONFIG"])["cluster"])
    server = tf.distribute.Server(
        cluster, job_name=task["type"], task_index=task["index"], protocol="grpc", config=config
    )
    report({"event": "serving", "target": server.target})
    threading.Event().wait()


def tf_config_task() -> dict[str, Any]:
    """Returns type and index from `TF_CONFIG`."""
    task: dict[str, Any] = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {"type": "chief", "index": 0})
    return task


def address_of_this_process() -> str:
    """Returns the host under which the others know this process, from `TF_CONFIG`."""
    config, task = json.loads(os.environ.get("TF_CONFIG", "{}")), tf_config_task()
    return str(config["cluster"][task["type"]][task["index"]]).rpartition(":")[0] if config else "127.0.0.1"


def _inter_op_threads(training: Training, threads: int) -> int:
    # A parameter server waits for every worker in a thread of its own: with fewer they would wait for each other.
    return max(threads, training.workers + 2) if training.mode == "async" else threads
