"""Facts about code, cluster and environment that every run carries."""

import importlib.metadata
import platform
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from emberline.pipelines.runtime.code_archive import project_code, project_commit
from emberline.pipelines.runtime.executors import registered_executors
from emberline.pipelines.runtime.projects import loaded_projects
from emberline.pipelines.runtime.version import code_commit, code_version

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


PROJECT, PROJECT_COMMIT = "emberline.project", "emberline.project_commit"
VERSION = "emberline.version"
CODE = (VERSION, PROJECT, PROJECT_COMMIT)
"""Tags that say which code made something."""


def code_facts() -> dict[str, str]:
    """Returns, as tags, which code runs."""
    facts = {VERSION: code_version()}
    if commit := code_commit():
        facts["mlflow.source.git.commit"] = commit
    return facts | project_facts()


def project_facts() -> dict[str, str]:
    """Returns, as tags, the projects whose code this process has loaded, with versions and digests of their code."""
    loaded = loaded_projects()
    if not loaded:
        return {}
    commits = [commit for project in loaded if (commit := project_commit(project))]
    facts = {PROJECT: ", ".join(f"{project.name} {project_code(project)}" for project in loaded)}
    return facts | ({PROJECT_COMMIT: ", ".join(commits)} if commits else {})


def cluster_facts(spark: "SparkSession") -> dict[str, str]:
    """Returns, as tags, the Spark application, and the executors, cores and GPUs that it has at this moment."""
    try:
        context = spark.sparkContext
        facts = {"spark.application_id": str(context.applicationId), "spark.master": str(context.master)}
        found = registered_executors(context)
    except (AttributeError, PySparkException, Py4JError):
        # Spark Connect keeps the cluster out of sight, and a session that was stopped says nothing any more.
        return {}
    remote = [item for item in found if item.id() != "driver"]
    local = facts["spark.master"].startswith("local") and not facts["spark.master"].startswith("local-cluster")
    running = found if local else remote  # in local mode the driver computes
    amount = float(spark.conf.get("spark.executor.resource.gpu.amount", "0") or 0)
    cores = sum(item.totalCores() for item in running) or (int(context.defaultParallelism) if local else 0)
    return facts | {
        "spark.executors": str(len(running)),
        "spark.cores": str(cores),
        "spark.gpus": str(int(amount * len(running))),
    }


def environment(spark: "SparkSession | None") -> str:
    """Returns the software that ran, one `name==version` a line behind a few lines of comment."""
    lines = [f"# Python {platform.python_version()} on {platform.platform()}"]
    if spark:
        lines += [f"# Spark {spark.version}", *_java(spark)]
    return "\n".join([*lines, *_packages()]) + "\n"


def _java(spark: "SparkSession") -> list[str]:
    try:
        # PySpark says nowhere which Java it runs on.
        machine: Any = spark._jvm
        return [f"# Java {machine.java.lang.System.getProperty('java.version')}"]
    except (AttributeError, PySparkException, Py4JError):
        return []


@lru_cache(maxsize=1)
def _packages() -> tuple[str, ...]:
    found = {item.metadata["Name"]: item.version for item in importlib.metadata.distributions(path=sys.path)}
    return tuple(f"{name}=={found[name]}" for name in sorted(found, key=str.lower))
