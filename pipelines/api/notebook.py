"""What a notebook should not have to say each time: the session, the workspace, the store of runs, names of outputs."""

import atexit
import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

import pyspark
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.arguments import WORKSPACE, location, tracking_uri
from emberline.pipelines.runtime.session import open_session
from emberline.pipelines.tracking import Tracker

Given = ParamSpec("Given")
Result = TypeVar("Result")

CODE = (".zip", ".py", ".egg", ".whl")


class SparkFailedError(RuntimeError):
    """What failed inside Spark, in one line; `__context__` has Spark's own account of it."""


@dataclass
class Defaults:
    """What calls without these arguments take.

    Args:
        workspace: URI of the folder that takes what is made.
        tracking: MLflow's store; empty for `MLFLOW_TRACKING_URI`, or else a file in the workspace.
    """

    workspace: str = WORKSPACE
    tracking: str = ""


_defaults = Defaults()


def session(
    master: str | None = None,
    *,
    name: str = "notebook",
    workspace: str | None = None,
    tracking: str | None = None,
    py_files: Sequence[str] = (),
    settings: Mapping[str, str] | None = None,
) -> SparkSession:
    """Returns the Spark session of this process, with `format("tfrecord")`; made if there is none.

    It stays until `spark.stop()`, the end of `with em.session() as spark:`, or the end of the process.

    Args:
        master: Spark master; default: an embedded cluster of two executors, or what spark-submit has set.
        name: What the application does.
        workspace: Folder or URI that takes what later calls make without being told where.
        tracking: MLflow store or server of later calls.
        py_files: Archives and `.py` files that every executor needs; `emberline bundle` makes such archives.
        settings: Further Spark settings.

    Raises:
        JavaError: if there is no Java 17 or newer.
        BadInputError: for code files that are not there or of no kind that Python imports.
    """
    for file in py_files:
        if not file.endswith(CODE) or not storage.exists(location(file)):
            raise BadInputError(
                f"py_files: {file!r} is no file that ends in {', '.join(CODE)}. `emberline bundle` packs the code of a "
                "project."
            )
    if workspace is not None:
        _defaults.workspace = workspace
    if tracking is not None:
        _defaults.tracking = tracking
    spark = open_session(name, master, settings)
    for file in py_files:
        spark.sparkContext.addPyFile(storage.local_path(location(file)) if storage.is_local(location(file)) else file)
    if str(spark.sparkContext.master).startswith("local-cluster"):
        home = os.environ.get("SPARK_HOME") or str(Path(pyspark.__file__).parent)
        leftovers = Path(home) / "work" / str(spark.sparkContext.applicationId)
        atexit.register(shutil.rmtree, leftovers, ignore_errors=True)
    return spark


def session_or(spark: SparkSession | None) -> SparkSession:
    """Returns the session that is given, or that is active, or a new one."""
    return spark or SparkSession.getActiveSession() or session()


def tracker_of(tracking: str | None) -> Tracker:
    """Returns the store of runs."""
    return Tracker(tracking_uri(tracking or _defaults.tracking or None, _defaults.workspace))


def recipe_of(recipe: Recipe | str) -> Recipe:
    """Returns a recipe, given itself or by name."""
    return load_recipe(recipe) if isinstance(recipe, str) else recipe


def place_of(given: str | None, recipe: str, what: str) -> str:
    """Returns the URI that an output goes to: as given, or in the workspace under a name of its own."""
    if given is not None:
        return location(given)
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:4]}"
    return storage.join(location(_defaults.workspace), recipe, what, name)


def readable(step: Callable[Given, Result]) -> Callable[Given, Result]:
    """Wraps a step so that its failure inside Spark is one line of Python, without Java's stack.

    What a person must change stays a `BadInputError`, also if an executor found it.
    """

    @wraps(step)
    def told(*given: Given.args, **named: Given.kwargs) -> Result:
        try:
            return step(*given, **named)
        except PySparkException as error:
            kind, line = reason_of(str(error))
            if kind.endswith("BadInputError"):
                raise BadInputError(line) from None
            raise SparkFailedError(f"{step.__name__}: {kind}: {line}" if kind else f"{step.__name__}: {line}") from None

    return told


def reason_of(text: str) -> tuple[str, str]:
    """Returns the kind and the words of the Python error inside a message of Spark's; no kind if there is none.

    Example:
        >>> reason_of("Job aborted\\nTraceback (most recent call last):\\n  File …\\nValueError: no word\\n\\tat a")
        ('ValueError', 'no word')
    """
    found = re.findall(r"^([A-Za-z_][\w.]*(?:Error|Exception)): (.+(?:\n(?!\s|$).+)*)", text, re.MULTILINE)
    python = [(kind, words) for kind, words in found if not kind.startswith(("org.", "java.", "py4j.", "scala."))]
    if python and "Traceback" in text:
        return python[-1][0].rpartition(".")[2], python[-1][1].strip()
    return "", text.partition("JVM stacktrace")[0].strip().partition("\n\tat ")[0].strip()
