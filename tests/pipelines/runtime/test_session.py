"""Java: absent, too old, unreadable, good."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emberline.pipelines.runtime.java import without_noise
from emberline.pipelines.runtime.session import JavaError, require_java


def fake_java(home: Path, says: str) -> None:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").write_text(f"#!/bin/sh\necho '{says}' >&2\n")
    (home / "bin" / "java").chmod(0o755)


def test_no_java_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(JavaError, match=r"Java 17 or newer, and there is none at JAVA_HOME=.*nowhere.*openjdk-17"):
        require_java()
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JavaError, match="none at the PATH"):
        require_java()


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ('openjdk version "11.0.2" 2019-01-15', r'Java 17 or newer; .*java is version "11\.0\.2"'),
        ('java version "1.8.0_392"', r'is version "1\.8\.0_392"'),
        ("Segmentation fault", "did not name a version but said 'Segmentation fault'"),
    ],
)
def test_a_wrong_java_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, message: str) -> None:
    fake_java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(JavaError, match=message):
        require_java()


@pytest.mark.parametrize(
    ("says", "version"), [('openjdk version "17.0.15" 2025', "17.0.15"), ('openjdk version "21" 2023', "21")]
)
def test_a_good_java_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str, version: str) -> None:
    fake_java(tmp_path, says)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert require_java() == version


def test_a_session_knows_the_tfrecord_format_and_reads_small_files_together(tmp_path: Path) -> None:
    """In a process of its own: the tests' session has registered the format itself."""
    code = (
        "from emberline.pipelines.runtime.session import session\n"
        "with session('test', 'local[1]') as spark:\n"
        f"    spark.range(5).write.format('tfrecord').save({str(tmp_path / 'out')!r})\n"
        f"    print(spark.read.format('tfrecord').load({str(tmp_path / 'out')!r}).count())\n"
        "    print(spark.conf.get('spark.sql.files.openCostInBytes'))\n"
        "    loggers = spark._jvm.org.apache.logging.log4j.LogManager\n"
        "    print(loggers.getLogger('org.apache.spark.sql.catalyst.expressions.codegen.CodeGenerator').getLevel())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    # Code too long for Java is told there, though Spark goes on without it: see `session._silence`.
    assert done.stdout.split() == ["5", "256KB", "OFF"], done.stderr[-2000:]


SETTINGS = """
import sys
from emberline.pipelines.runtime.session import session
names = (
    "sql.files.openCostInBytes", "sql.session.timeZone", "sql.shuffle.partitions", "ui.showConsoleProgress", "master",
)
for given in ({"spark.sql.files.openCostInBytes": "2MB"}, {}):
    with session("test", "local[1]" if given else None, given) as spark:
        print(*(spark.conf.get(f"spark.{name}", None) for name in names))
"""


def sessions(folder: Path, defaults: str, arguments: str = "pyspark-shell") -> tuple[list[list[str]], list[str]]:
    """What two sessions of one process have set, and the lines on stderr."""
    (folder / "spark-defaults.conf").write_text(defaults)
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS], capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"SPARK_CONF_DIR": str(folder), "PYSPARK_SUBMIT_ARGS": arguments},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return [line.split() for line in done.stdout.splitlines()], done.stderr.splitlines()


def test_what_somebody_set_stands_instead_of_our_own_and_is_told_once(tmp_path: Path) -> None:
    """Of a file of settings, of arguments, and of the caller; what results depend on is ours all the same."""
    defaults = (
        "spark.sql.files.openCostInBytes 1MB\nspark.sql.session.timeZone Asia/Tokyo\n"
        "spark.sql.shuffle.partitions 7\nspark.master local[2]\n"
    )
    found, lines = sessions(tmp_path, defaults, "--conf spark.sql.shuffle.partitions=9 pyspark-shell")
    assert found[0] == ["2MB", "UTC", "9", "false", "local[1]"]
    assert found[1][1:4] == ["UTC", "9", "false"]
    told = [line for line in lines if line.startswith("spark")]
    assert told[0].endswith(
        "your settings stand instead of emberline's: spark.sql.files.openCostInBytes=2MB (not 256KB), "
        "spark.sql.shuffle.partitions=9 (not 4)"
    )
    assert told[1].endswith("warning: spark.sql.session.timeZone is UTC, not Asia/Tokyo: results would depend on it")
    assert sum("timeZone" in line for line in told) == 1
    assert lines == told  # and nothing of the start of Java and Spark


def test_what_one_session_was_given_the_next_one_has_not(tmp_path: Path) -> None:
    found, lines = sessions(tmp_path, "")
    assert found == [
        ["2MB", "UTC", "4", "false", "local[1]"],
        ["256KB", "UTC", "4", "false", "local-cluster[2,1,2048]"],
    ]
    assert [line for line in lines if line.startswith("spark")] == lines[:1]
    assert lines[0].endswith("spark.sql.files.openCostInBytes=2MB (not 256KB)")


def test_lines_of_a_start_and_of_a_stop_are_known_from_others() -> None:
    noise = """WARNING: Using incubator modules: jdk.incubator.vector
Using Spark's default log4j profile: org/apache/spark/log4j2-defaults.properties
26/11/30 18:21:35 WARN Utils: Your hostname, vm, resolves to a loopback address: 127.0.0.1; using 192.0.2.2 instead
26/11/30 18:21:35 WARN Utils: Set SPARK_LOCAL_IP if you need to bind to another address
Setting default log level to "WARN".
To adjust logging level use sc.setLogLevel(newLevel). For SparkR, use setLogLevel(newLevel).
26/11/30 18:21:39 WARN NativeCodeLoader: Unable to load native-hadoop library for your platform...
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1796062968.347091   18910 cudart_stub.cc:31] Could not find cuda drivers on your machine
2026-11-30 18:21:39.123456: I tensorflow/core/platform/cpu_feature_guard.cc:210] This binary is optimized
java.util.concurrent.RejectedExecutionException: Task Future(<not completed>) rejected from \
java.util.concurrent.ThreadPoolExecutor@5a876d71[Shutting down, pool size = 1, active threads = 1, queued tasks = 0]
\tat java.base/java.util.concurrent.ThreadPoolExecutor.reject(ThreadPoolExecutor.java:833)
\tat scala.concurrent.impl.Future$.apply(Future.scala:1)
"""
    others = """26/11/30 18:21:39 ERROR Executor: Exception in task 0.0 in stage 1.0 (TID 1)
26/11/30 18:21:39 WARN TaskSetManager: Lost task 0.0
Exception in thread "main" java.lang.OutOfMemoryError: Java heap space
E0000 00:00:1796062968.347091   18910 cuda_dnn.cc:31] Loaded runtime CuDNN library: 8 but source was compiled with 9
WARNING: An illegal reflective access operation has occurred
java.util.concurrent.RejectedExecutionException: Task 7 rejected from java.util.concurrent.ThreadPoolExecutor@1[Running]
\tat java.base/java.util.concurrent.ThreadPoolExecutor.reject(ThreadPoolExecutor.java:833)
"""
    mixed = f"{others}{noise}{others}".encode().splitlines(keepends=True)
    assert b"".join(without_noise(mixed)) == f"{others}{others}".encode()
