"""What people copy to run us elsewhere: commands are read by Spark's own parser and by the job's, images by rules."""

import argparse
import importlib
import importlib.metadata
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from emberline.pipelines.recipes import recipe_names
from emberline.pipelines.runtime.version import VERSION

ROOT = Path(__file__).parents[1]
GUIDES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
IMAGES = sorted((ROOT / "docs" / "docker").glob("*.Dockerfile"))
JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("[a-z]*.py"))


def commands(text: str) -> list[str]:
    """Every spark-submit of a text, its lines joined; those that leave something out with … are no commands."""
    joined = re.sub(r"\\\n\s*", "", text)
    found = [line.strip() for line in joined.splitlines() if line.strip().startswith("spark-submit ")]
    return [line.partition(" #")[0] for line in found if "…" not in line and "..." not in line]


GUIDED = [(path.name, command) for path in GUIDES for command in commands(path.read_text())]
DOCUMENTED = [
    (job, command)
    for job in JOBS
    for command in commands((ROOT / "jobs" / f"{job}.py").read_text().replace("\\\\\n", "\\\n"))
]
COMMANDS = [*GUIDED, *DOCUMENTED]


@dataclass(frozen=True)
class Submission:
    """A command as Spark understood it.

    Args:
        parsed: Spark's `SparkSubmitArguments`, in the JVM.
        conf: Its properties.
        job: The application's name.
        arguments: The application's.
    """

    parsed: Any
    conf: dict[str, str]
    job: str
    arguments: list[str]


def submission(spark: Any, command: str) -> Submission:
    jvm = spark._jvm
    words = shlex.split(command)[1:]
    sequence = jvm.PythonUtils.toSeq(words)
    parsed = jvm.org.apache.spark.deploy.SparkSubmitArguments(
        sequence, jvm.PythonUtils.toScalaMap({"HADOOP_CONF_DIR": "/etc/hadoop"})
    )
    pairs = parsed.sparkProperties().toSeq()
    conf = {pairs.apply(index)._1(): pairs.apply(index)._2() for index in range(pairs.size())}
    child = parsed.childArgs().toSeq()
    arguments = [child.apply(index) for index in range(child.size())]
    return Submission(parsed, conf, Path(parsed.primaryResource()).stem, arguments)


def test_there_is_something_to_check() -> None:
    names = [name for name, _ in GUIDED]
    assert names.count("cluster.md") == 6
    assert {"etl", "train", "evaluate", "register", "score", "tune", "validate", "drift"} <= {j for j, _ in DOCUMENTED}


@pytest.mark.parametrize(("where", "command"), COMMANDS)
def test_spark_and_the_job_understand_a_command(spark: Any, where: str, command: str) -> None:
    found = submission(spark, command)
    assert (ROOT / "jobs" / f"{found.job}.py").exists()
    parser: argparse.ArgumentParser = importlib.import_module(f"emberline.jobs.{found.job}").parser()
    given = parser.parse_args(found.arguments)  # ends the process where it does not understand
    assert getattr(given, "pipeline", "census_linear") in recipe_names()
    assert found.parsed.master().startswith(("spark://", "yarn", "k8s://https://"))
    in_image = found.parsed.primaryResource().startswith("local:///opt/emberline/jobs/")
    assert in_image or re.search(rf"emberline(-{re.escape(VERSION)})?\.zip$", found.parsed.pyFiles())
    unknown = [name for name in found.conf if not name.startswith("spark.")]
    assert not unknown


@pytest.mark.parametrize("command", [command for name, command in GUIDED if name == "cluster.md"])
def test_spark_prepares_what_the_cluster_guide_says(spark: Any, command: str) -> None:
    """One step further than parsing: which class would submit where, with which settings. Nothing is contacted."""
    found = submission(spark, command)
    archives = found.parsed.archives()
    if archives:
        assert archives.endswith(f"emberline-environment-{VERSION}.tar.gz#env")
        assert found.conf["spark.pyspark.python"] == "env/bin/python"
    if found.job == "train":
        assert found.conf.get("spark.dynamicAllocation.enabled", "false") == "false"
        cores = int(found.parsed.executorCores())
        assert int(found.conf.get("spark.task.cpus", "1")) == cores, "one rank per executor, with all of its cores"
    if found.parsed.deployMode() != "cluster" or "hdfs:" in command or "s3a:" in command:
        return  # Spark would fetch files
    prepared = spark._jvm.org.apache.spark.deploy.SparkSubmit().prepareSubmitEnvironment(
        found.parsed, spark._jvm.scala.Option.empty()
    )
    assert prepared._4() == "org.apache.spark.deploy.k8s.submit.KubernetesClientApplication"
    conf = prepared._3()
    assert conf.get("spark.kubernetes.container.image").endswith(f"emberline:{VERSION}")
    assert conf.get("spark.submit.deployMode") == "cluster"
    assert conf.get("spark.executor.memoryOverhead") == "8g"


def locked(lock: str) -> dict[str, str]:
    return dict(line.split("==") for line in (ROOT / lock).read_text().splitlines())


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.stem)
def test_an_image_is_made_of_what_is_here(image: Path) -> None:
    joined = re.sub(r"\\\n\s*", " ", image.read_text())
    lines = [line for line in joined.splitlines() if line and not line.startswith("#")]
    verbs = {line.split()[0] for line in lines}
    assert verbs <= {"ARG", "FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "ENTRYPOINT"}
    for line in lines:
        match line.split():
            case ["COPY", *sources, _] if not sources[0].startswith("--from"):
                assert all((ROOT / source).exists() for source in sources), line
            case ["FROM", base, *_] if base != "${BASE}":
                base = re.sub(r"\$\{(\w+)\}", lambda name: re.search(rf"ARG {name[1]}=(\S+)", joined)[1], base)
                assert re.search(r":.*\d+\.\d+", base), f"{base} is not pinned"
            case ["USER", *_]:
                last_user = line
    assert last_user != "USER root"
    assert "latest" not in joined
    assert not re.search(r"password|secret|token", joined, re.IGNORECASE)


def test_images_have_the_locked_versions() -> None:
    ours, airflow = locked("requirements.lock"), locked("requirements-airflow.lock")
    texts = {image.stem: image.read_text() for image in IMAGES}
    assert f"ARG SPARK=apache/spark:{ours['pyspark']}-" in texts["executor"]
    assert f"tensorflow[and-cuda]=={ours['tensorflow']}" in texts["executor-cuda"]
    assert any("and-cuda" in needed for needed in importlib.metadata.requires("tensorflow") or ())
    assert f"ARG AIRFLOW=apache/airflow:slim-{airflow['apache-airflow']}-python3.11" in texts["airflow"]
    assert "ARG PYTHON=python:3.11-" in texts["executor"], "the newest patch release"
    for text in texts.values():
        assert set(re.findall(r"emberline[\w-]*:(\d[\d.]*)", text)) <= {VERSION}


@pytest.mark.parametrize("image", ["executor", "airflow"])
def test_an_image_has_what_runs_and_can_be_built_by_hash(image: str) -> None:
    text = (ROOT / "docs" / "docker" / f"{image}.Dockerfile").read_text()
    assert "requirements-dev" not in text
    installed = re.findall(r"--requirement (\S+)", text)
    assert "requirements.${LOCK}" in installed
    assert all(name.endswith(".${LOCK}") or name == "/dev/stdin" for name in installed)
    assert "ARG LOCK=lock\n" in text, "a plain build needs nothing but the versions"
    assert set(re.findall(r"requirements[a-z-]*\.hashes", text)) == {
        name.replace("${LOCK}", "hashes") for name in installed if name != "/dev/stdin"
    }


def test_the_guides_name_the_present_version() -> None:
    for guide in GUIDES:
        for version in re.findall(r"emberline(?:-environment)?-(\d+\.\d+\.\d+)\.(?:zip|tar)", guide.read_text()):
            assert version == VERSION, guide.name


def test_the_network_policy_closes_what_the_guide_says() -> None:
    policy = yaml.safe_load((ROOT / "docs" / "docker" / "network-policy.yaml").read_text())
    assert (policy["kind"], policy["spec"]["policyTypes"]) == ("NetworkPolicy", ["Ingress"])
    assert policy["spec"]["podSelector"] == policy["spec"]["ingress"][0]["from"][0]["podSelector"]
