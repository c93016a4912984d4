"""Passages of files: all words in their order, whatever Spark is set to and whichever files are read together."""

import bz2
import gzip
import itertools
import re
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from emberline.features.analysis.sources import ByteRange
from emberline.pipelines.datasets.readers import passages
from emberline.pipelines.datasets.readers.passages import CutPassages, read_part
from emberline.pipelines.datasets.readers.raw_table import file_entry
from emberline.pipelines.runtime.session import settings

END = "<eos>"
LINES, WORDS = rb"\n", rb"[ \t\n]"


def told(text: str, line_end: str = "") -> list[str]:
    """Its words, with one for the end of each line that has any."""
    lines = [line.split() for line in re.split("\r\n|\r|\n", text)]
    return [word for line in lines if line for word in (*line, *filter(None, [line_end]))]


def cut_by_hand(words: list[str], cut: CutPassages) -> list[str]:
    step = cut.words - cut.overlap
    return [" ".join(words[start : start + cut.words]) for start in range(0, len(words) - cut.overlap, step)]


def parts_by_hand(content: bytes, size: int, end: bytes) -> list[bytes]:
    """What lies between the first places from each multiple of `size` on that are behind an end."""
    ends = [0, *(found.end() for found in re.finditer(end, content))]
    places = [next((place for place in ends if place >= start), len(content)) for start in range(0, len(content), size)]
    return [content[start:stop] for start, stop in itertools.pairwise([*places, len(content)])]


ODD = "\ufeffone two\r\nthree\rfour\n\n \t\nfive\x0bsix\u2028se\u00a0\u00e9ight\n\r\n nine\r ten\tel\u00e9ven \u4e2d e"


@pytest.mark.parametrize("line_end", ["", END])
@pytest.mark.parametrize("text", [ODD.removeprefix("\ufeff"), ODD + "\n", "\n\n", "", "word"])
def test_all_words_are_in_their_order_however_the_text_comes(text: str, line_end: str) -> None:
    words = told(text, line_end)
    for cut in (CutPassages(3, 1, line_end), CutPassages(4, 0, line_end), CutPassages(100, 1, line_end)):
        for size in (1, 2, 5, 1000):
            pieces = [text[start : start + size] for start in range(0, len(text), size)]
            assert list(cut(pieces)) == cut_by_hand(words, cut)


@pytest.mark.parametrize("end", [LINES, WORDS])
@pytest.mark.parametrize("piece", [1, 3, 1 << 20])
def test_parts_begin_at_fixed_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: bytes, piece: int) -> None:
    monkeypatch.setattr(passages, "_PIECE", piece)
    for number, text in enumerate((ODD, "one two\n", "a" * 40, "a b " * 9, "a\n" * 9)):
        content = text.encode()
        (tmp_path / f"{number}.txt").write_bytes(content)
        for size in range(3, len(content) + 2):
            parts = [
                ByteRange(str(tmp_path / f"{number}.txt"), start, min(start + size, len(content)))
                for start in range(0, len(content), size)
            ]
            found = ["".join(read_part(part, end)) for part in parts]
            expected = [piece.decode() for piece in parts_by_hand(content, size, end)]
            assert found == [expected[0].removeprefix("\ufeff"), *expected[1:]]


def test_a_file_that_became_shorter_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "short").write_text("a b\nc d")
    found = [
        "".join(read_part(ByteRange(str(tmp_path / "short"), *place), LINES)) for place in ((0, 4), (4, 90), (90, 99))
    ]
    assert found == ["a b\n", "c d", ""]


def test_what_is_no_utf8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"good words\ncaf\xe9\n")
    with pytest.raises(UnicodeDecodeError):
        list(read_part(ByteRange(str(tmp_path / "latin"), 0, 16), LINES))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By path of the file. Two have one name, one is a single line."""
    folder = tmp_path_factory.mktemp("texts")
    (folder / "other").mkdir()
    draw = np.random.default_rng(3)
    names = ("text.txt", "other/text.txt", "one line", "text.gz", "text.bz2", "text.zst", "text.deflate")
    made = {}
    for name in names:
        lines = [
            " ".join(f"{name[0]}{word}" for word in draw.integers(0, 99, draw.integers(0, 12))) for _ in range(500)
        ]
        made[name] = (" " if name == "one line" else "\r\n").join(lines)
    packers = {
        "gz": gzip.compress,
        "bz2": bz2.compress,
        "zst": lambda content: pa.compress(content, "zstd", asbytes=True),
        "deflate": zlib.compress,
    }
    for name, text in made.items():
        (folder / name).write_bytes(packers.get(name.rpartition(".")[2], bytes)(text.encode()))
    return {str(folder / name): text for name, text in made.items()}


SMALL = {"spark.sql.files.openCostInBytes": "64", "spark.sql.files.maxPartitionBytes": "1KB"}
LARGE = {"spark.sql.files.openCostInBytes": "64MB", "spark.sql.files.maxPartitionBytes": "1GB"}


@pytest.mark.parametrize("cut", [CutPassages(41, 1, END), CutPassages(20)], ids=["lines", "words"])
def test_passages_of_a_file_follow_from_it_alone(
    spark: SparkSession, texts: dict[str, str], cut: CutPassages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "PART_BYTES", 2000)

    def found(*files: str) -> Counter[tuple[str, str]]:
        rows = passages.passages(spark, [file_entry(file) for file in files], cut).select("_source", "text").collect()
        return Counter((row["_source"], row["text"]) for row in rows)

    expected = Counter(
        (Path(file).name, passage)
        for file, text in texts.items()
        for part in (
            parts_by_hand(text.encode(), 2000, LINES if cut.line_end else WORDS)
            if "." not in Path(file).name or file.endswith(".txt")
            else [text.encode()]
        )
        for passage in cut_by_hand(told(part.decode(), cut.line_end), cut)
    )
    with settings(spark, SMALL):
        first, *others = texts
        apart = found(first) + found(*others)
        together = found(*texts)
    with settings(spark, LARGE):
        assert found(*texts) == together == apart == expected


def test_rows_of_passages_are_those_of_any_source(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("one two three")
    rows = passages.passages(spark, [file_entry(str(tmp_path / "a b.txt"))], CutPassages(2)).collect()
    assert [(row["text"], row["words"], row["_raw"], row["_source"], row["_fault"]) for row in rows] == [
        ("one two", "2", "one two", "a b.txt", None),
        ("three", "1", "three", "a b.txt", None),
    ]
