"""The jobs as a cluster runs them: real spark-submit, a standalone master, two one-core workers, code as a .zip."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyspark
import pytest

from benchmarks.iris import split, write_split
from emberline.pipelines.runtime.code_archive import bundle
from emberline.pipelines.runtime.environment_archive import pack

ROOT = Path(__file__).parents[3]
SPARK_HOME = Path(pyspark.__file__).parent
SUBMIT_SECONDS = 420


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A standalone master with two workers of one core, none of which can import our code by itself."""
    folder = tmp_path_factory.mktemp("standalone")
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    environment = outside(folder) | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_NO_DAEMONIZE": "1"}
    deploy = "org.apache.spark.deploy"
    commands = [[f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]]
    for index in (1, 2):
        work = ["--work-dir", str(folder / f"worker-{index}"), "--webui-port", "0"]
        commands.append([f"{deploy}.worker.Worker", "--host", "127.0.0.1", "-c", "1", "-m", "1g", *work, url])
    with (folder / "log").open("w") as log:
        processes = []
        for command in commands:
            processes.append(
                subprocess.Popen(
                    [str(SPARK_HOME / "bin" / "spark-class"), *command],
                    env=environment,
                    stdout=log,
                    stderr=log,
                    cwd=folder,
                    start_new_session=True,
                )
            )
            time.sleep(3)
        deadline = time.monotonic() + 90
        while len(re.findall("Successfully registered with master", (folder / "log").read_text())) < 2:
            assert time.monotonic() < deadline, (folder / "log").read_text()[-3000:]
            time.sleep(1)
        yield url
        for process in processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)


def outside(folder: Path) -> dict[str, str]:
    """An environment in which the checkout is not importable, wherever the process runs.

    The tests' own interpreter may have emberline installed from the checkout; a `.pth` file would make the shipped
    archive superfluous and the test worthless, so our rooms are hidden from everything but the archive.
    """
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        f"sys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\n"
        "sys.meta_path[:] = [f for f in sys.meta_path if 'editable' not in str(getattr(f, '__module__', f)).lower()]\n"
    )
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "PYSPARK", "SPARK"))
    }
    return environment | {
        "PYTHONPATH": str(folder),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


def submit(master: str, tmp_path: Path, job: str, *arguments: object, archive: Path) -> tuple[int, dict, str]:
    command = [
        str(SPARK_HOME / "bin" / "spark-submit"), "--master", master, "--py-files", str(archive),
        "--conf", "spark.ui.enabled=false", "--executor-memory", "512m", "--total-executor-cores", "2",
        "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.bindAddress=127.0.0.1",
        str(ROOT / "jobs" / f"{job}.py"), *map(str, arguments),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=outside(tmp_path),
        timeout=SUBMIT_SECONDS,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else {}, done.stderr


@pytest.mark.slow
def test_every_job_runs_by_spark_submit_with_the_code_in_a_zip(
    master: str, census_run, census_slice: Path, tmp_path: Path
) -> None:
    """Also the second run: it shares the store of the first, leaves it alone, and makes version 2."""
    archive = bundle(str(tmp_path / "emberline.zip"))
    recipe = ["--pipeline", "census_wide_deep"]
    short = ["--set", "training.epochs=1", "--set", "training.global_batch=128"]
    store = ["--tracking-uri", census_run.tracking_uri]
    dataset, training, predictions = (tmp_path / name for name in ("dataset", "training", "predictions"))

    def run(job: str, *arguments: object) -> dict:
        code, result, stderr = submit(master, tmp_path, job, *recipe, *arguments, archive=archive)
        assert code == 0, f"{job}: {stderr[-3000:]}"
        assert result["job"] == job
        return result

    prepared = run("etl", "--input", census_slice, "--output", dataset, *short)
    assert prepared["digest"] == census_run.summary["dataset_digest"], "the same rows give the same bytes anywhere"
    trained = run("train", "--dataset", dataset, "--output", training, *short, *store)
    assert trained["steps"] == 5998 // 128
    evaluated = run("evaluate", "--training", training, *store)
    assert evaluated["metrics"]["rows"] == 1999
    registered = run("register", "--training", training, *store)
    assert registered["version"] == 2
    scored = run(
        "score", "--model", f"models:/{registered['name']}@champion", "--input", census_slice / "adult.test",
        "--output", predictions, *store,
    )  # fmt: skip
    assert scored["rows_scored"] == 2000
    assert scored["version"] == registered["champion"]

    code, result, _ = submit(
        master, tmp_path, "etl", *recipe, "--input", "/nowhere", "--output", tmp_path / "x", archive=archive
    )
    assert code == 2, "spark-submit hands the job's exit code on"
    assert "does not exist" in result["reason"]


@pytest.mark.slow
def test_a_standalone_cluster_without_room_is_refused(master: str, census_run, tmp_path: Path) -> None:
    """Its executors are waited for and counted: the master's address does not say how many there are."""
    archive = bundle(str(tmp_path / "emberline.zip"))
    code, result, stderr = submit(
        master, tmp_path, "train", "--pipeline", "census_wide_deep", "--dataset", census_run.summary["dataset"],
        "--output", tmp_path / "training", "--tracking-uri", census_run.tracking_uri, "--set", "training.workers=4",
        archive=archive,
    )  # fmt: skip
    assert code == 2, stderr[-3000:]
    assert "Training needs 4 slots (one per worker), and spark://127.0.0.1:" in result["reason"]
    assert "has 2 executors of 2 cores together, which with spark.task.cpus=1 is 2 slots" in result["reason"]
    assert "training.workers=2" in result["reason"]
    assert not (tmp_path / "training").exists()


PROBE = """
import json, sys
import pyarrow as pa
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.runtime.version import code_version

def where(batches):
    import tensorflow
    for batch in batches:
        yield pa.RecordBatch.from_pydict({"python": [sys.executable], "tensorflow": [tensorflow.__file__]})

with session("probe") as spark:
    found = spark.range(1).mapInArrow(where, "python string, tensorflow string").collect()[0].asDict()
    made = etl(spark, load_recipe("iris_dnn"), sys.argv[1], sys.argv[2])
    print(json.dumps(found | {"rows": made.rows_read, "version": code_version(), "driver": sys.executable}))
"""


@pytest.mark.slow
def test_executors_without_our_packages_take_the_environment_from_an_archive(master: str, tmp_path: Path) -> None:
    """Spark unpacks it where the executor runs; its Python transforms rows there, with the code of the bundle."""
    code, environment = bundle(str(tmp_path / "emberline.zip")), pack(str(tmp_path), compress_level=0)
    write_split(str(tmp_path / "raw"), split())
    (tmp_path / "probe.py").write_text(PROBE)
    variables = {name: value for name, value in outside(tmp_path).items() if not name.startswith("PYSPARK")}
    done = subprocess.run(
        [str(SPARK_HOME / "bin" / "spark-submit"), "--master", master, "--py-files", str(code),
         "--archives", f"{environment}#env", "--conf", "spark.pyspark.python=env/bin/python",
         "--conf", f"spark.pyspark.driver.python={sys.executable}", "--conf", "spark.ui.enabled=false",
         "--executor-memory", "512m", "--total-executor-cores", "1", "--conf", "spark.driver.host=127.0.0.1",
         "--conf", "spark.driver.bindAddress=127.0.0.1",
         str(tmp_path / "probe.py"), str(tmp_path / "raw"), str(tmp_path / "dataset")],
        capture_output=True, text=True, cwd=tmp_path, env=variables, timeout=SUBMIT_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert "/worker-" in found["python"], "unpacked below the standalone worker's folder"
    assert "/env/bin/" in found["python"]
    assert "/env/lib/" in found["tensorflow"]
    assert found["driver"] == sys.executable
    assert found["rows"] == 150
    assert re.fullmatch(r"\d+\.\d+\.\d+\+[0-9a-f]{12}", found["version"])
