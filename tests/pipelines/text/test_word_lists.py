"""Lists of words learned of raw texts, and texts cut into them by the graph."""

from collections import Counter
from pathlib import Path

import pytest
import tensorflow as tf
from pyspark.sql import SparkSession

from emberline.features.columns import PAD, Segments
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.features.tokens import Tokens
from emberline.features.transform import TransformGraph
from emberline.pipelines.text.word_lists import CountWords, learn_words, pieces

SCHEMA = Schema((Field("text", "string", tokens=Tokens()),), Label("label"), "key")
COUNTS = {"lower": 40, "lowest": 30, "newer": 50, "wider": 20, "new": 60, "widest": 7}


def cut(texts: list[str], file: Path, longest: int) -> list[list[str]]:
    words = [line.rpartition("\t")[0] for line in file.read_text().splitlines()]
    graph = TransformGraph(SCHEMA, (Segments("text", file=str(file), longest=longest),), Statistics(0))
    found = graph({"text": tf.constant(texts)})["text"].numpy()
    return [[[*words, "?"][place] for place in row if place != PAD] for row in found]


def write(counts: dict[str, int], file: Path) -> Path:
    listed = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    file.write_text("".join(f"{word}\t{count}\n" for word, count in listed))
    return file


def test_pieces_cut_words_that_were_never_seen(tmp_path: Path) -> None:
    found = pieces(COUNTS, 24)
    assert len(found) <= 25
    assert set("".join(COUNTS)) <= set(found), "every character is a piece"
    assert found["new"] >= COUNTS["new"]
    file = write(found, tmp_path / "pieces.txt")
    known, new = cut(["newer lower", "newest"], file, 8)
    assert "".join(known) == "newerlower"
    assert "".join(new) == "newest"
    assert len(new) < len("newest")
    with pytest.raises(BadInputError, match="different characters, and --size is 5"):
        pieces(COUNTS, 5)


def test_chinese_words_are_those_of_jieba(tmp_path: Path) -> None:
    jieba = pytest.importorskip("jieba")
    texts = ["他来到了网易杭研大厦", "他来到北京清华大学", "我来到北京"]
    import pyarrow as pa

    (batch,) = CountWords("jieba")(iter([pa.RecordBatch.from_pydict({"_raw": texts})]))
    counts = dict(zip(batch.column("word").to_pylist(), batch.column("count").to_pylist(), strict=True))
    assert counts == Counter(word for text in texts for word in jieba.cut(text))
    file = write(counts, tmp_path / "words.txt")
    assert cut(["我来到北京", "他来到网易大厦"], file, 6) == [["我", "来到", "北京"], ["他", "来到", "网易", "大厦"]]


def test_a_file_of_words_has_counts(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("one\t3\ntwo\n")
    with pytest.raises(BadInputError, match="the line 'two'; expected a word, a tab and its count"):
        cut(["one"], tmp_path / "words.txt", 5)
    with pytest.raises(BadInputError, match="drop minimum_count"):
        Segments("text", file="words.txt", minimum_count=2)


def test_words_are_counted_in_spark(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "a.txt").write_text("b a a\n\nc a b\n")
    (tmp_path / "raw" / "b.txt").write_text("b d\n")
    output = tmp_path / "words.txt"
    found = learn_words(spark, str(tmp_path / "raw"), str(output), minimum_count=2)
    assert output.read_text() == "a\t3\nb\t3\n"
    assert (found.words, found.counted, found.longest) == (2, 6, 1)
    learn_words(spark, str(tmp_path / "raw"), str(output), size=1)
    assert output.read_text() == "a\t3\n"
    with pytest.raises(BadInputError, match="no word that is seen 9 times"):
        learn_words(spark, str(tmp_path / "raw"), str(output), minimum_count=9)
    with pytest.raises(BadInputError, match="give --size"):
        learn_words(spark, str(tmp_path / "raw"), str(output), by="bpe")


def test_only_a_list_of_words_is_replaced(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("to be or not to be\n")
    (tmp_path / "diary.txt").write_text("dear diary\t\n")
    with pytest.raises(BadInputError, match="is no list of words, and nothing else is replaced"):
        learn_words(spark, str(tmp_path / "texts"), str(tmp_path / "diary.txt"))
    assert (tmp_path / "diary.txt").read_text() == "dear diary\t\n"
    for _ in range(2):
        learn_words(spark, str(tmp_path / "texts"), str(tmp_path / "words.txt"), size=2)
    assert (tmp_path / "words.txt").read_text() == "be\t2\nto\t2\n"
