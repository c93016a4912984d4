"""Spark's Java process: started with what the caller sets, and without the lines that every start of it writes.

Those would stand between the lines of progress, on every start alike, and say nothing about the job: Java's warning of
modules that Spark needs, Spark's words about its logging and the machine's name, and, on masters `local`, TensorFlow's
words in each Python worker about graphics cards, which no setting of it silences. A stop that comes while an executor
still registers writes another trace of calls that says nothing. All other lines pass. Under spark-submit Java
is the parent of this process, and writes what its log4j2.properties say.
"""

import os
import re
import threading
from collections.abc import Iterable, Iterator, Mapping

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway

LAUNCHERS_OWN = {"spark.master": "local[*]", "spark.ui.showConsoleProgress": "true"}
"""What Spark's launcher sets where nobody said anything."""

_not_said: dict[str, str] = {}
"""What the first session of this process was given: Java keeps it, and for later sessions nobody has said it."""

_START = re.compile(
    rb"WARNING: Using incubator modules: "
    rb"|WARNING: (A terminally deprecated method|A restricted method|sun\.misc\.Unsafe|\S+ has been called by"
    rb"|Please consider|Use --enable-native-access|Restricted methods will)"
    rb"|Using Spark's default log4j profile: |Setting default log level to |To adjust logging level use "
    rb"|\d\d/\d\d/\d\d \d\d:\d\d:\d\d WARN (Utils: (Your hostname, |Set SPARK_LOCAL_IP )|NativeCodeLoader: )"
    rb"|WARNING: All log messages before absl::InitializeLog\(\) "
    rb"|[IW]\d{4} \d\d:\d\d:\d+\.\d+ +\d+ \w+\.cc:\d+\] "
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] (external/)?(local_)?(tensorflow|xla|tsl)/"
)

_STOP = re.compile(
    rb"java\.util\.concurrent\.RejectedExecutionException: Task Future\(<not completed>\) rejected from "
    rb"java\.util\.concurrent\.ThreadPoolExecutor@\w+\[(Shutting down|Terminated), "
)
"""What Scala says of work that was handed in while its threads were being stopped; the trace of calls follows."""
_CALL = b"\tat "


def without_noise(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the lines but those that every start writes, and those of a stop."""
    is_trace_of_stop = False
    for line in lines:
        is_trace_of_stop = _STOP.match(line) is not None or (is_trace_of_stop and line.startswith(_CALL))
        if not is_trace_of_stop and not _START.match(line):
            yield line


def start_java(settings: Mapping[str, str]) -> dict[str, str]:
    """Starts Java if it does not run, and returns what Spark's launcher put together: files, environment, arguments.

    Args:
        settings: What the caller says; Java's own memory and class path can be set at its start alone.

    Returns:
        All settings `spark.…` that somebody has set.
    """
    if SparkContext._gateway is None and "PYSPARK_GATEWAY_PORT" not in os.environ:
        launch = SparkConf(loadDefaults=False)
        for key, value in settings.items():
            launch.set(key, value)
        reading, writing = os.pipe()
        threading.Thread(target=_pass_on, args=(reading,), name="emberline-java-stderr", daemon=True).start()
        try:
            gateway = launch_gateway(launch, {"stderr": writing})
        finally:
            os.close(writing)
        SparkContext._ensure_initialized(gateway=gateway)  # type: ignore[attr-defined]
        _not_said.update(settings)
    SparkContext._ensure_initialized()  # type: ignore[attr-defined]
    own = {} if "PYSPARK_GATEWAY_PORT" in os.environ else LAUNCHERS_OWN
    said = {key: value for key, value in SparkConf().getAll() if value not in (_not_said.get(key), own.get(key))}
    return said | dict(settings)


def _pass_on(reading: int) -> None:
    """Copies what Java writes to its stderr, line by line, to this process's own."""
    with os.fdopen(reading, "rb") as lines:
        for rest in without_noise(lines):
            while rest:
                try:
                    rest = rest[os.write(2, rest) :]
                except OSError:  # nobody reads this process's stderr any more; Java must not wait for that
                    break
