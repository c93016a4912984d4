"""The commands of docs/cluster.md in cluster mode on a real YARN: etl, training with two ranks, evaluate, score.

What they are changed in is `adapted`: nodes have the packages, so no archive travels; containers are small; no GPUs.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from emberline.features import storage
from emberline.pipelines.datasets.generators import census
from tests.real.conftest import listing, manifest, python_path
from tests.real.hadoop import Hadoop
from tests.real.jars import SPARK_JARS
from tests.test_deployment import commands

pytest.importorskip("hdfs_native")

ROOT = Path(__file__).parents[2]
GUIDED = {
    Path(next(word for word in shlex.split(command) if word.endswith(".py"))).stem: command
    for command in commands((ROOT / "docs" / "cluster.md").read_text())
    if "--master yarn" in command
}
SMALL = {
    "--executor-cores": "1",
    "--executor-memory": "512m",
    "spark.executor.memoryOverhead": "1500m",
    "spark.task.cpus": "1",
    "spark.pyspark.python": sys.executable,
    # There is one machine, and Spark's shuffle service has one port on it.
    "spark.shuffle.service.enabled": "false",
    "spark.dynamicAllocation.enabled": "false",
    "training.workers": "2",
    "--num-executors": "2",
}
NOT_HERE = ("--archives", "spark.executor.resource.gpu", "spark.task.resource.gpu", "training.gpus_per_worker")


def adapted(command: str, tracking: str) -> list[str]:
    """The words of a command of the guide for a cluster of this size."""
    words, found = iter(shlex.split(command)[1:]), []
    for word in words:
        if not word.startswith("--"):
            found.append(word)
            continue
        value = next(words)
        name, equals, _ = value.partition("=")
        if (word if word != "--conf" and word != "--set" else name).startswith(NOT_HERE):
            continue
        if word in ("--conf", "--set"):
            value = name + equals + SMALL.get(name, value.partition("=")[2])
            if name.endswith("MLFLOW_TRACKING_URI"):
                value = f"{name}={tracking}"
            found += [word, value]
        else:
            found += [word, SMALL.get(word, value)]
    more = [
        "--conf", f"spark.yarn.jars=local:{SPARK_JARS}/*", "--driver-memory", "512m",
        "--conf", "spark.driver.memoryOverhead=2g", "--conf", "spark.ui.enabled=false",
        # Loopback, whatever the name of this machine leads to.
        "--conf", "spark.yarn.appMasterEnv.SPARK_LOCAL_IP=127.0.0.1",
        "--conf", "spark.executorEnv.SPARK_LOCAL_IP=127.0.0.1",
    ]  # fmt: skip
    return [str(SPARK_JARS.parent / "bin" / "spark-submit"), *more, *found]


@pytest.fixture(scope="module")
def hadoop(tmp_path_factory: pytest.TempPathFactory, emberline) -> Iterator[Hadoop]:
    """HDFS and YARN, with the code and raw data where the guide has them."""
    servers = Hadoop(tmp_path_factory.mktemp("hadoop"))
    before = os.environ.get("HADOOP_CONF_DIR")
    try:
        servers.start()
        servers.start_yarn()
        os.environ["HADOOP_CONF_DIR"] = str(servers.conf)
        storage._filesystem.cache_clear()
        bundle = servers.folder / "dist"
        assert emberline("bundle", "--output", bundle).code == 0
        storage.copy_folder(str(bundle), "hdfs:///emberline")
        census.generate("hdfs:///raw/census", seed=1)
        yield servers
    finally:
        servers.stop()
        storage._filesystem.cache_clear()
        os.environ.pop("HADOOP_CONF_DIR", None)
        if before is not None:
            os.environ["HADOOP_CONF_DIR"] = before


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('mlflow')}/mlflow.db"


def start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(command, env=python_path(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def submitted(hadoop: Hadoop, command: list[str]) -> None:
    """Fails with what containers wrote unless the application succeeds."""
    process = start(command)
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0, said[-2000:] + hadoop.container_logs()[-8000:]


def other_job(job: str, arguments: str) -> str:
    """The guide's etl command with another job."""
    head, _, _ = GUIDED["etl"].partition("hdfs:///emberline/jobs/etl.py")
    return f"{head}hdfs:///emberline/jobs/{job}.py --pipeline census_wide_deep {arguments}"


@pytest.fixture(scope="module")
def version(hadoop: Hadoop, tracking: str) -> str:
    submitted(hadoop, adapted(GUIDED["etl"], tracking))
    return "hdfs:///datasets/v1"


@pytest.fixture(scope="module")
def training(hadoop: Hadoop, version: str, tracking: str) -> str:
    submitted(hadoop, [*adapted(GUIDED["train"], tracking), "--set", "training.epochs=1"])
    return "hdfs:///trainings/v1"


def test_etl_makes_the_dataset_of_this_machine(version: str, emberline, tmp_path: Path) -> None:
    local = emberline("etl", "--pipeline", "census_wide_deep", "--input", "hdfs:///raw/census", "--output",
                      tmp_path / "v", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db")  # fmt: skip
    assert local.code == 0, local.stderr[-3000:]
    assert manifest(version)["digest"] == manifest(str(tmp_path / "v"))["digest"]


def test_two_ranks_train_and_are_evaluated_and_score(hadoop: Hadoop, training: str, tracking: str, emberline) -> None:
    state = json.loads(storage.read_bytes(f"{training}/training.json"))
    assert state["finished"]
    submitted(hadoop, adapted(other_job("evaluate", f"--training {training}"), tracking))
    assert storage.exists(f"{training}/evaluation.json")
    done = emberline("register", "--pipeline", "census_wide_deep", "--training", training, "--tracking-uri", tracking)
    assert done.code == 0, done.stderr[-3000:]
    model = f"models:/{done.result['name']}/{done.result['version']}"
    arguments = f"--model {model} --input hdfs:///raw/census --output hdfs:///predictions/today"
    submitted(hadoop, adapted(other_job("score", arguments), tracking))
    assert storage.exists("hdfs:///predictions/today/_SUCCESS")


def test_training_goes_on_without_a_node_manager(hadoop: Hadoop, version: str, tracking: str) -> None:
    output = "hdfs:///trainings/killed"
    command = [word.replace("hdfs:///trainings/v1", output) for word in adapted(GUIDED["train"], tracking)]
    process = start([*command, "--set", "training.epochs=6"])
    try:
        deadline = time.monotonic() + 600
        while not [uri for uri in listing(output) if uri.endswith("position.json")]:
            if process.poll() is not None:
                said, _ = process.communicate(timeout=60)
                pytest.fail((said or "")[-2000:] + hadoop.container_logs()[-8000:])
            assert time.monotonic() < deadline, "no checkpoint"
            time.sleep(0.5)
        # The first container of an application is its driver's; those of earlier applications are listed too.
        driver = max(hadoop.folder.glob("node-*/log/*/*_000001"), key=lambda path: path.name)
        driver_node = int(driver.relative_to(hadoop.folder).parts[0].removeprefix("node-"))
        hadoop.kill_node(1 - driver_node)
        killed_before_the_end = process.poll() is None
        said, _ = process.communicate(timeout=900)
    finally:
        process.kill()
    hadoop.start_node_manager(1 - driver_node)
    hadoop.wait_until(lambda: hadoop.live_node_managers() == 2, "the node manager did not come back")
    assert killed_before_the_end
    assert process.returncode == 0, said[-2000:] + hadoop.container_logs()[-8000:]
    assert json.loads(storage.read_bytes(f"{output}/training.json"))["finished"]
