"""Java: absent, too old, unreadable, good."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_the_cost_of_a_file_gives_way_to_what_others_say(tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.sql.files.openCostInBytes 1MB\n")
    code = (
        "from emberline.pipelines.runtime.session import session\n"
        "for settings in ({}, {'spark.sql.files.openCostInBytes': '2MB'}):\n"
        "    with session('test', 'local[1]', settings) as spark:\n"
        "        print(spark.conf.get('spark.sql.files.openCostInBytes'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False,
        env=os.environ | {"SPARK_CONF_DIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout.split() == ["1MB", "2MB"], done.stderr[-2000:]
