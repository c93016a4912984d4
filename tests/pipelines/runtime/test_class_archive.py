"""Java takes Spark's classes from the archive, and does without one that is damaged or that others could write."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emberline.pipelines.runtime.class_archive import _places, class_archive, write_class_archive
from emberline.pipelines.runtime.java_options import java_options

PROGRAM = """
from emberline.pipelines.runtime.session import session
with session("test", "local[1]") as spark:
    print(spark.range(7).count())
"""


def _session(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True, text=True, timeout=300, check=False, env=os.environ | variables,
    )  # fmt: skip


def test_classes_of_spark_come_from_the_archive(tmp_path: Path) -> None:
    if write_class_archive() is None:
        pytest.skip("this Java writes no archive, or there is no private place for it")
    log = tmp_path / "classes"
    told = f"--conf spark.driver.extraJavaOptions=-Xlog:class+load:file={log} pyspark-shell"
    done = _session(PYSPARK_SUBMIT_ARGS=told)
    assert done.stdout.split() == ["7"], done.stderr[-2000:]
    # Java archives no lambdas of Scala, which have no name before they are made.
    loaded = [line for line in log.read_text().splitlines() if " org.apache.spark." in line and "$$Lambda" not in line]
    archived = [line for line in loaded if "shared objects file (top)" in line]
    assert len(archived) > 1000
    assert len(archived) > 0.6 * len(loaded)


def test_a_damaged_archive_is_passed_over_in_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBERLINE_CLASS_ARCHIVES", str(tmp_path))
    (path,) = _places()
    path.write_bytes(b"no archive" * 10_000)
    assert class_archive() == path
    done = _session()
    assert done.stdout.split() == ["7"], done.stderr[-2000:]
    assert "rchive" not in done.stderr


def test_an_archive_that_others_could_write_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBERLINE_CLASS_ARCHIVES", str(tmp_path))
    (path,) = _places()
    path.write_bytes(b"")
    assert class_archive() == path
    assert str(path) in java_options()["spark.driver.defaultJavaOptions"]
    path.parent.chmod(0o777)
    assert class_archive() is None
    assert java_options() == {}


def test_another_java_has_another_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBERLINE_CLASS_ARCHIVES", str(tmp_path / "archives"))
    before = list(_places())
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "java").chmod(0o755)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert before != list(_places()) != []
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert list(_places()) == []
