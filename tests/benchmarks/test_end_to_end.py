"""What the benchmark of the whole way makes, samples and checks."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.end_to_end import MARKER, resident, score_ours, score_theirs, write_days

HOLDS = "import sys; held = bytearray(200 << 20); print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Two days of 40 rows."""
    assert write_days(tmp_path / "raw", 40) == (36, 4)
    return tmp_path / "raw"


def test_a_day_is_in_criteos_format(raw: Path) -> None:
    lines = [(raw / f"day_{day}").read_text().splitlines() for day in (0, 1)]
    assert [len(day) for day in lines] == [36, 4]
    for fields in (line.split("\t") for day in lines for line in day):
        assert len(fields) == 40
        assert fields[0] in "01"
        assert all(field == "" or int(field) >= 0 for field in fields[1:14])
        assert all(field == "" or int(field, 16) >= 0 for field in fields[14:])


def test_memory_is_that_of_all_marked_processes() -> None:
    """Two of them hold 200 MiB each; a third without the mark does not count."""
    marks = ["here", "here", "elsewhere"]
    started = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDS],
            env=os.environ | {MARKER: mark},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for mark in marks
    ]
    try:
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        assert 400 << 20 <= resident(f"{MARKER}=here".encode()) < 500 << 20
    finally:
        for process in started:
            process.kill()
            process.wait(30)
    assert resident(f"{MARKER}=here".encode()) == 0


def test_a_side_that_leaves_rows_out_is_refused(raw: Path, tmp_path: Path) -> None:
    table = pa.table({"row": ["a"], "label": [1], "score": [0.5]})
    for day in (0, 1):
        (tmp_path / f"day_{day}").mkdir()
        pq.write_table(table, tmp_path / f"day_{day}" / "part.parquet")
    with pytest.raises(RuntimeError, match="of \\(36, 4\\) rows"):
        score_theirs(str(tmp_path), raw, (36, 4))
    with pytest.raises(RuntimeError, match="1 of 40 rows"):
        score_ours(f"file://{tmp_path}/day_0", raw, (36, 4))
