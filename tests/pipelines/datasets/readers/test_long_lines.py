"""Lines that Java has no room for are rejected rows; `bytes.splitlines` says what the others are."""

import gzip
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emberline.features import storage
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.readers import long_lines
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.table_reader import open_table

LONG = 200 << 20
"""Bytes of a line that ended a Java process of 1 GiB."""
LINES = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=12)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@given(LINES, st.integers(0, 30), st.integers(1, 9))
def test_every_line_is_found_or_handed_on(lines: list[tuple[int, bytes]], last: int, size: int) -> None:
    data = b"".join(b"%c" % (97 + place) * length + end for place, (length, end) in enumerate(lines)) + b"z" * last
    found = list(long_lines.find(pieces(data, size), 10))
    others = [line for block in long_lines.others(pieces(data, size), 10) for line in block]
    whole = data.splitlines()
    assert [data[start : start + length] for start, length, _ in found] == [line for line in whole if len(line) > 10]
    assert all(data[start : start + length] == head for start, length, head in found)
    assert others == [line for line in whole if len(line) <= 10]


@given(LINES, st.integers(0, 30), st.integers(1, 9))
def test_no_file_with_a_long_line_is_passed_over(lines: list[tuple[int, bytes]], last: int, size: int) -> None:
    data = b"".join(b"x" * length + end for length, end in lines) + b"x" * last
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(long_lines, "GLANCE_BYTES", size)
        patch.setattr(storage, "open_random", lambda _: Memory(data))
        may = long_lines._may_have(storage.FileEntry("a.txt", len(data)), 10)
    assert may or max((len(line) for line in data.splitlines()), default=0) <= 10


class Memory:
    """A file's bytes."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __enter__(self) -> "Memory":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def read_at(self, size: int, start: int) -> bytes:
        return self._data[start : start + size]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_row_of_200_mb_is_rejected_with_its_place(spark, tmp_path: Path, ending: str) -> None:
    dataset = load_dataset("iris")
    dataset.generate(str(tmp_path / "raw"), seed=1)
    plain = tmp_path / "raw" / "iris_training.csv"
    before = plain.read_bytes()
    good = dataset.read(spark, str(plain)).select("_raw").count()
    with plain.open("ab") as file:
        file.write(b"5.1," * (LONG // 4) + b"\r\n" + b"6.4,2.8,5.6,2.2,2\n")
    given = plain.with_name(plain.name + ending)
    if ending:
        with plain.open("rb") as source, gzip.open(given, "wb", compresslevel=1) as target:
            shutil.copyfileobj(source, target)
    rows = dataset.read(spark, str(given)).select("_raw", "_source", "_fault", "row").collect()
    rejected = [row for row in rows if row["_fault"]]
    assert len(rows) == good + 2
    assert [row["_fault"] for row in rejected] == [
        f"the line has 200 MiB (it begins at byte {len(before):,}), and one may have 16"
    ]
    assert rejected[0]["_source"] == given.name
    assert rejected[0]["row"]
    assert rejected[0]["_raw"] == ("5.1," * long_lines.HEAD_BYTES)[: long_lines.HEAD_BYTES]
    assert {row["_source"] for row in rows} == {given.name}


def test_a_line_of_json_is_rejected_too(spark, tmp_path: Path) -> None:
    with (tmp_path / "rows.jsonl").open("w") as file:
        file.write(json.dumps({"a": 1, "b": {"c": "x"}}) + "\n\n")
        file.write('{"a": "' + "y" * (70 << 20) + '"}\n')
        file.write('{"a": 2}\n{"a": \n')
    table = open_table(spark, str(tmp_path / "rows.jsonl"), TableFormat("json"), ())
    found = table.frame.orderBy("a").collect()
    assert table.columns == ("a", "b.c")
    assert sorted((row["a"], row["b.c"], row["_fault"]) for row in found if row["a"]) == [
        (1, "x", None),
        (2, None, None),
    ]
    faults = sorted(row["_fault"] for row in found if row["_fault"])
    assert faults == ["is not JSON", "the line has 70 MiB (it begins at byte 27), and one may have 64"]


def test_large_files_of_ordinary_lines_are_read_by_spark_itself(spark, tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    path.write_bytes(b"5.1,3.5,1.4,0.2,0\n" * ((80 << 20) // 18))
    assert not long_lines._may_have(storage.FileEntry(str(path), path.stat().st_size), long_lines.LONGEST)
