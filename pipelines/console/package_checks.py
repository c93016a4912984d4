"""Checks of the environment, each naming one breakage that is known to happen and its cure."""

import importlib.metadata
import sys
from dataclasses import dataclass

from emberline.pipelines.runtime.session import JavaError, require_java


@dataclass(frozen=True)
class Check:
    """One finding.

    Args:
        name: What was looked at.
        good: Whether it will do.
        found: What is there.
        advice: What to do if it will not.
    """

    name: str
    good: bool
    found: str
    advice: str = ""


def package_checks() -> list[Check]:
    """Returns all findings, good and bad."""
    return [_python(), _java(), *_packages(), _pyspark_intact(), _tensorflowonspark()]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check("python", sys.version_info >= (3, 11), found, "Python 3.11 or newer is needed.")


def _java() -> Check:
    try:
        return Check("java", True, require_java())
    except JavaError as error:
        return Check("java", False, "missing or too old", str(error))


def _packages() -> list[Check]:
    needed = ("pyspark", "tensorflow", "keras", "mlflow", "pyarrow", "tensorboard")
    found = {name: _version(name) for name in needed}
    return [
        Check(name, version is not None, version or "not installed", f"Run `make setup`, or install {name}.")
        for name, version in found.items()
    ]


def _pyspark_intact() -> Check:
    """Checks for `pyspark-client`, which shares hundreds of files with `pyspark` and breaks it when installed later."""
    intruder = _version("pyspark-client")
    return Check(
        "pyspark alone",
        intruder is None,
        f"pyspark-client {intruder} overwrites it" if intruder else "yes",
        "Airflow's Spark provider brought it: keep Airflow in an environment of its own, and reinstall pyspark.",
    )


def _tensorflowonspark() -> Check:
    """Checks the extra: where TensorFlowOnSpark is, it imports `pkg_resources`, which newer setuptools do not have."""
    found, setuptools = _version("tensorflowonspark"), _version("setuptools")
    if found is None:
        return Check("tensorflowonspark", True, "not installed; only training.launcher=tensorflowonspark needs it")
    return Check(
        "tensorflowonspark",
        setuptools is not None and int(setuptools.split(".")[0]) < 81,
        f"{found}, with setuptools {setuptools}",
        "TensorFlowOnSpark needs pkg_resources: install 'setuptools<81'.",
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
