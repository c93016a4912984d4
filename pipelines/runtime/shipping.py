"""The code of projects on executors: what the driver has loaded of them is what executors run."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.code_archive import bundle_project, project_code
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.runtime.projects import loaded_projects

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_shipped: dict[str, set[str]] = {}
"""By Spark session, the code that its executors have."""


def ship_projects(spark: "SparkSession", *modules: str) -> None:
    """Sends the code of all projects of which this process has loaded anything to the executors of a session.

    Code on the path as an archive is left alone: it was submitted with the job, to the executors too. Code that cannot
    travel must be installed there; that is said, and not refused.

    Args:
        spark: A session of this machine, or one of Spark Connect.
        modules: Further modules that executors will import, of whatever project.
    """
    known = _shipped.setdefault(_called(spark), set())
    for project in loaded_projects(*modules):
        if project.shipped:
            continue
        code = f"{project.name} {project_code(project)}"
        if code in known:
            continue
        folder = tempfile.mkdtemp(prefix="emberline-code-")  # Spark's server reads it while the application lives
        try:
            _give(spark, bundle_project(project, str(Path(folder) / f"{project.name}.zip")))
        except BadInputError as error:
            Progress("session").say(f"not sent to executors: {error}")
        known.add(code)


def _called(spark: "SparkSession") -> str:
    from pyspark.errors import PySparkException

    try:
        return str(spark.sparkContext.applicationId)
    except (AttributeError, PySparkException):
        return str(id(spark))


def _give(spark: "SparkSession", archive: Path) -> None:
    from pyspark.errors import PySparkException

    try:
        context = spark.sparkContext
    except (AttributeError, PySparkException):  # Spark Connect
        spark.addArtifacts(str(archive), pyfile=True)
        return
    before = list(sys.path)
    context.addPyFile(str(archive))
    sys.path[:] = before  # the driver has the code already, and in a place that says where it came from
