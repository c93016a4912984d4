"""Spark's own access to `s3:` and `s3a:`, from the variables that our readers take theirs from (`features/s3.py`).

Spark itself hands the keys of the environment to Hadoop; endpoint, region and addressing by path are missing there, and
so is the scheme `s3:`. Whatever a user or a platform has set for Hadoop stays.
"""

import os
from collections.abc import Callable
from typing import Any

from pyspark.sql import SparkSession

from emberline.features import s3

_S3A = "org.apache.hadoop.fs.s3a"


def executor_variables(master: str, is_set: Callable[[str], bool]) -> dict[str, str]:
    """Returns settings that give executors elsewhere the variables of this process.

    Processes of `local…` inherit them. On Kubernetes they would stand in the pods' descriptions: there a secret gives
    them (docs/cluster.md).

    Args:
        master: Spark master; empty if it is not known.
        is_set: Whether a setting has been made.
    """
    if not master or master.startswith(("local", "k8s://")):
        return {}
    found = {f"spark.executorEnv.{name}": os.environ[name] for name in s3.VARIABLES if os.environ.get(name)}
    return {name: value for name, value in found.items() if not is_set(name)}


def share_with_hadoop(spark: SparkSession) -> None:
    """Sets what Hadoop's `s3a` lacks to find the same server with the same keys as our readers."""
    wanted = {
        "fs.s3.impl": f"{_S3A}.S3AFileSystem",
        "fs.AbstractFileSystem.s3.impl": f"{_S3A}.S3A",
    }
    if server := s3.endpoint():
        wanted |= {"fs.s3a.endpoint": server, "fs.s3a.path.style.access": "true"}
    if where := s3.region():
        wanted["fs.s3a.endpoint.region"] = where
    hadoop: Any = spark.sparkContext._jsc.hadoopConfiguration()  # type: ignore[attr-defined]
    for name, value in wanted.items():
        sources = hadoop.getPropertySources(name)
        if sources is None or str(sources[len(sources) - 1]).endswith("-default.xml"):
            hadoop.set(name, value)
