"""Java compiles little where rows are few, and as it was told where somebody told it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emberline.pipelines.runtime import java_options as options
from emberline.pipelines.runtime.java_options import KEYS, QUICK, java_options


@pytest.fixture(autouse=True)
def no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMBERLINE_CLASS_ARCHIVES", str(tmp_path / "archives"))


def test_few_bytes_are_not_worth_thorough_compilation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "rows.csv").write_bytes(b"x" * 1000)
    assert java_options(str(tmp_path / "raw")) == dict.fromkeys(KEYS, QUICK)
    assert java_options((tmp_path / "raw" / "rows.csv").as_uri()) == dict.fromkeys(KEYS, QUICK)
    monkeypatch.setattr(options, "LITTLE_BYTES", 999)
    assert java_options(str(tmp_path / "raw")) == {}


@pytest.mark.parametrize("reads", [None, "s3://bucket/raw", "/nowhere/at/all"])
def test_of_what_is_not_known_there_may_be_much(reads: str | None) -> None:
    assert java_options(reads) == {}


def test_an_installation_s_own_defaults_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.executor.defaultJavaOptions -Dx=1\n")
    (tmp_path / "rows.csv").write_text("a\n")
    assert java_options(str(tmp_path)) == dict.fromkeys(KEYS, QUICK)
    monkeypatch.setenv("SPARK_CONF_DIR", str(tmp_path))
    assert java_options(str(tmp_path)) == {}


PROGRAM = """
from emberline.pipelines.runtime.session import session
with session("test", "local[1]", reads={reads!r}) as spark:
    beans = spark._jvm.java.lang.management.ManagementFactory
    print(" ".join(beans.getRuntimeMXBean().getInputArguments()))
"""


def test_java_gets_them_before_what_a_person_says(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a\n")
    told = "--conf spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=3 pyspark-shell"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(reads=str(tmp_path / "rows.csv"))],
        capture_output=True, text=True, timeout=300, check=False, env=os.environ | {"PYSPARK_SUBMIT_ARGS": told},
    )  # fmt: skip
    given = done.stdout.split()
    assert given.index(QUICK) < given.index("-XX:TieredStopAtLevel=3"), done.stderr[-2000:]
