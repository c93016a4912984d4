"""The Spark session: one builder for laptops, spark-submit and tests, after a look at Java."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyspark
from py4j.protocol import Py4JError
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.tfrecord.spark.data_source import register
from emberline.pipelines.runtime.java import start_java
from emberline.pipelines.runtime.java_options import java_options
from emberline.pipelines.runtime.logs import SWITCH
from emberline.pipelines.runtime.object_stores import executor_variables, share_with_hadoop
from emberline.pipelines.runtime.progress import tell_once
from emberline.pipelines.runtime.shipping import ship_projects

MINIMUM_JAVA = 17
JAVA_SECONDS = 60
"""For its version, on a busy machine."""
DEFAULT_MASTER = "local-cluster[2,1,2048]"

REQUIRED = {
    # The day and the hour of a timestamp would depend on who runs the job, and with them rows, digests and scores.
    "spark.sql.session.timeZone": "UTC",
    # Two columns of a table may differ in nothing else; without it Spark would read one of them for the other, or fail.
    "spark.sql.caseSensitive": "true",
}
"""Set whatever anybody else says: with other values results would be wrong, or differ between clusters."""

DEFAULTS = {
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    # A row may be a photograph: ten thousand of them at once would fill a worker's memory.
    "spark.sql.execution.arrow.maxBytesPerBatch": "64MB",
    "spark.ui.showConsoleProgress": "false",
    # Good and bad rows go to a folder each: two open files per task cost less than sorting all rows.
    "spark.sql.maxConcurrentOutputFileWriters": "2",
    # Of small files Spark's own 4 MB makes a task for every thirty; here it is one for some hundreds.
    "spark.sql.files.openCostInBytes": "256KB",
    # Executors may still be registering when a training starts; Spark looks again after 15 seconds, 40 times.
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "1s",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": "600",
}
"""Set where nobody else has: neither the caller's settings nor `--conf`, `spark-defaults.conf` or a session's own."""

ON_THIS_MACHINE = {
    "spark.ui.enabled": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.shuffle.partitions": "4",
}
"""Like `DEFAULTS`, for masters `local…`."""


class JavaError(BadInputError):
    """Spark cannot start here."""


@contextmanager
def session(
    name: str, master: str | None = None, settings: Mapping[str, str] | None = None, reads: str | None = None
) -> Iterator[SparkSession]:
    """Opens a session for the block, with `format("tfrecord")`, and stops it at the end; see `open_session`.

    Yields:
        The session.
    """
    spark = open_session(name, master, settings, reads)
    application = str(spark.sparkContext.applicationId)
    try:
        yield spark
    finally:
        _stop(spark, application)


def open_session(
    name: str, master: str | None = None, settings: Mapping[str, str] | None = None, reads: str | None = None
) -> SparkSession:
    """Opens a session, which the caller stops, or the end of the process.

    Args:
        name: What the application does; it is listed as `emberline NAME`.
        master: Spark master; under spark-submit leave it out, submit has set it.
        settings: Further Spark settings.
        reads: URI of the raw files that it is for, where that is known; see `java_options`.

    Raises:
        JavaError: if there is no Java 17 or newer.
    """
    require_java()
    # Executors on this machine must run this interpreter, not the first python3 on the PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    submitted = "SPARK_ENV_LOADED" in os.environ or "PYSPARK_GATEWAY_PORT" in os.environ
    given = dict(settings or {}) | ({"spark.master": master} if master else {})
    if not submitted and (master or DEFAULT_MASTER).startswith("local"):
        given = java_options(reads) | given
    said = start_java(given)
    if active := SparkSession.getActiveSession():
        said = said | active.conf.getAll | given
    unset = dict(DEFAULTS)
    if not submitted:
        unset |= {"spark.master": DEFAULT_MASTER}
        if said.get("spark.master", DEFAULT_MASTER).startswith("local"):
            unset |= ON_THIS_MACHINE
    builder = SparkSession.builder.appName(f"emberline {name}")
    for key, value in (given | {key: unset[key] for key in unset.keys() - said.keys()} | REQUIRED).items():
        builder = builder.config(key, value)
    _tell_differences(unset, said)
    if os.environ.get(SWITCH):
        builder = builder.config(f"spark.executorEnv.{SWITCH}", os.environ[SWITCH])
    for key, value in executor_variables(said.get("spark.master", ""), said.__contains__).items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    share_with_hadoop(spark)
    spark.sparkContext.setLogLevel("ERROR")
    _silence(spark, "org.apache.spark.sql.catalyst.expressions.codegen.CodeGenerator")
    register(spark)
    ship_projects(spark)
    return spark


def _tell_differences(unset: Mapping[str, str], said: Mapping[str, str]) -> None:
    """Says once which settings are not those of emberline, and which of somebody else's give way."""
    theirs = [
        f"{key}={said[key]} (not {unset[key]})"
        for key in sorted(unset.keys() - {"spark.master"})
        if said.get(key, unset[key]) != unset[key]
    ]
    if theirs:
        tell_once("spark", f"your settings stand instead of emberline's: {', '.join(theirs)}")
    for key, value in REQUIRED.items():
        if said.get(key, value) != value:
            tell_once("spark", f"warning: {key} is {value}, not {said[key]}: results would depend on it")


def _silence(spark: SparkSession, logger: str) -> None:
    """Keeps a Java class quiet whose errors are none.

    Of tables with many columns, Spark's generator writes code too long for Java, logs 200 lines, and goes on without.
    """
    machine: Any = spark._jvm
    log4j = machine.org.apache.logging.log4j
    # A platform may log with something else, where such classes are not: then it stays as it was.
    with suppress(Py4JError, TypeError):
        log4j.core.config.Configurator.setLevel(logger, log4j.Level.OFF)


@contextmanager
def settings(spark: SparkSession, values: Mapping[str, str]) -> Iterator[None]:
    """Sets these settings of Spark SQL for the block, and restores its own afterwards."""
    before = {key: spark.conf.get(key, None) for key in values}
    for key in values:
        spark.conf.set(key, values[key])
    try:
        yield
    finally:
        for key, known in before.items():
            spark.conf.unset(key) if known is None else spark.conf.set(key, known)


def require_java() -> str:
    """Returns the version of the Java that Spark will start.

    Raises:
        JavaError: if there is none, or it is too old, saying what to install.
    """
    home = os.environ.get("JAVA_HOME")
    program = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    advice = "Install a JDK 17 or newer (Debian: openjdk-17-jre-headless) and set JAVA_HOME if it is not on the PATH."
    if not program or not Path(program).exists():
        where = f"JAVA_HOME={home}" if home else "the PATH"
        raise JavaError(f"Spark needs Java {MINIMUM_JAVA} or newer, and there is none at {where}. {advice}")
    try:
        answer = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=JAVA_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise JavaError(f"{program} -version did not answer within {JAVA_SECONDS} s. {advice}") from error
    text = answer.stderr + answer.stdout
    found = re.search(r'version "(?:1\.)?(\d+)[^"]*"', text)
    if not found:
        raise JavaError(f"{program} -version did not name a version but said {text.strip()[:200]!r}. {advice}")
    if int(found[1]) < MINIMUM_JAVA:
        raise JavaError(f"Spark needs Java {MINIMUM_JAVA} or newer; {program} is {found[0]}. {advice}")
    return found[0].split('"')[1]


def _stop(spark: SparkSession, application: str) -> None:
    """Ends the session and removes what an embedded cluster left behind.

    The workers of `local-cluster` keep every application's folder below Spark's own installation, for ever.
    """
    embedded = str(spark.sparkContext.master).startswith("local-cluster")
    spark.stop()
    if embedded:
        home = os.environ.get("SPARK_HOME") or str(Path(pyspark.__file__).parent)
        shutil.rmtree(Path(home) / "work" / application, ignore_errors=True)
