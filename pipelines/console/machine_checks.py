"""Checks of what is around the packages: disk, ports, GPUs, the MLflow server and the Spark cluster."""

import importlib.metadata
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from emberline.features import storage
from emberline.pipelines.console.package_checks import Check
from emberline.pipelines.console.store_checks import store_check
from emberline.pipelines.runtime.secrets_in_uris import without_secrets

LEAST_DISK_GIB = 5
"""A demo run leaves under one; logs, shuffles and checkpoints of a real one need room too."""

SECONDS = 60


def machine_checks(workspace: str, tracking_uri: str, master: str | None, stores: Sequence[str] = ()) -> list[Check]:
    """Returns all findings, good and bad.

    Args:
        workspace: Folder or URI that runs write to.
        tracking_uri: MLflow store or server.
        master: Spark master to ask for its executors; None asks nobody.
        stores: Folders to try; a workspace on another machine is tried too.
    """
    found = [_disk(workspace), _ports(), _gpus(), _airflow(), _mlflow(tracking_uri)]
    places = list(dict.fromkeys([*([] if storage.is_local(workspace) else [workspace]), *stores]))
    if not master:
        return [*found, *map(store_check, places)]
    return [*found, *_cluster(master, places)]


def _disk(workspace: str) -> Check:
    if not workspace.startswith("file://"):
        return Check("disk", True, f"{workspace} is not on this machine")
    folder = Path(workspace.removeprefix("file://"))
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    advice = f"Runs need {LEAST_DISK_GIB} GiB: free some, or pass another --workspace."
    return Check("disk", free >= LEAST_DISK_GIB, f"{free:,.1f} GiB free at {folder}", advice)


def _ports() -> Check:
    """Executors call this machine back under its name, at ports that the system chooses."""
    name = socket.gethostname()
    advice = (
        "Executors on other machines must reach this one: give its name an address in /etc/hosts or DNS, open its "
        "ports to the cluster, or set spark.driver.host."
    )
    try:
        address = socket.gethostbyname(name)
        with socket.create_server((address, 0)) as server:
            socket.create_connection(server.getsockname(), timeout=5).close()
    except OSError as error:
        return Check("ports", False, f"{name}: {error}", advice)
    return Check("ports", True, f"{name} answers itself at {address}")


def _gpus() -> Check:
    """GPUs that the driver program lists and TensorFlow cannot use train nothing."""
    if not (program := shutil.which("nvidia-smi")):
        return Check("gpu", True, "none; networks train on processor cores")
    listed = _said([program, "--query-gpu=name", "--format=csv,noheader"]).splitlines()
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    usable = int((_said([sys.executable, "-c", code]) or "0").splitlines()[-1])
    return Check(
        "gpu",
        usable >= len(listed),
        f"{', '.join(listed) or 'none'}; TensorFlow finds {usable}",
        "TensorFlow lacks CUDA libraries for them: install 'tensorflow[and-cuda]' of the same version.",
    )


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _airflow() -> Check:
    try:
        version = importlib.metadata.version("apache-airflow")
    except importlib.metadata.PackageNotFoundError:
        return Check("airflow apart", True, "yes; `make setup-airflow` makes its environment")
    advice = "Its requirements and TensorFlow's exclude each other: give Airflow an environment of its own."
    return Check("airflow apart", False, f"Airflow {version} is in this environment", advice)


def _mlflow(uri: str) -> Check:
    from emberline.pipelines.tracking import Tracker, TrackingError

    said = without_secrets(uri)
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return Check("mlflow store", True, f"{said} will be made by the first run")
    try:
        Tracker(uri)
    except TrackingError as error:
        return Check("mlflow store", False, said, without_secrets(str(error)))
    return Check("mlflow store", True, f"{said} answers")


def _cluster(master: str, places: Sequence[str]) -> list[Check]:
    from emberline.pipelines.cluster.capacity import MANAGED_SECONDS, STANDALONE_SECONDS, require_room
    from emberline.pipelines.cluster.roles import Gang
    from emberline.pipelines.recipe import Training
    from emberline.pipelines.runtime.session import session
    from emberline.pipelines.tracking.run_facts import cluster_facts

    advice = "Start more workers, or train with fewer: --set training.workers=N."
    try:
        with session("doctor", master) as spark:
            patience = STANDALONE_SECONDS if master.startswith("spark://") else MANAGED_SECONDS  # a person waits
            one = Gang.of(Training((), epochs=1, global_batch=1, workers=1))
            require_room(spark, one, first_within=patience)
            spark.range(1000).count()  # a cluster that takes applications need not run them
            facts = cluster_facts(spark)
            tried = [store_check(place, spark) for place in places]
    except Exception as error:  # whatever the JVM says about a master that it cannot reach
        failed = Check("cluster", False, f"{master}: {str(error).splitlines()[0][:300]}", advice)
        return [*map(store_check, places), failed]
    executors, cores, gpus = (int(facts.get(f"spark.{what}", "0")) for what in ("executors", "cores", "gpus"))
    found = f"{master}: {executors} executors, {cores} cores, {gpus} GPUs"
    return [*tried, Check("cluster", cores > 0, found, advice)]
