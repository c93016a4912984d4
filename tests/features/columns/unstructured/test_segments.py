"""Words found in unbroken text, against a search over every way to cut it."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emberline.features.columns import PAD, Segments
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics, VocabularyFile
from emberline.features.tensors import raw_tensors
from emberline.features.tokens import Tokens
from emberline.features.transform import TransformGraph

COUNTS = {"ab": 40, "a": 30, "b": 20, "abc": 9, "cc": 8, "bcc": 7, "中": 5, "中文": 4, "文": 3}
SCHEMA = Schema((Field("text", "string", tokens=Tokens()),), Label("label"), "key")


def learned(folder: Path, counts: dict[str, int]) -> Statistics:
    (folder / "text.txt").write_text("".join(f"{word}\t{count}\n" for word, count in counts.items()))
    file = VocabularyFile("text.txt", len(counts), ((1, len(counts)),))
    facts = FieldStatistics(1, 0, values=sum(counts.values()), vocabulary=file)
    return Statistics(1, fields={"text": facts}, folder=str(folder))


def ids(graph: TransformGraph, texts: list[str]) -> list[list[int]]:
    found = graph(raw_tensors(pa.RecordBatch.from_pydict({"text": texts}), SCHEMA))["text"].numpy()
    return [[int(one) for one in row if one != PAD] for row in found]


def cuts(token: str) -> list[list[str]]:
    if not token:
        return [[]]
    return [[token[:end], *rest] for end in range(1, len(token) + 1) for rest in cuts(token[end:])]


def score(words: list[str]) -> float:
    total = sum(COUNTS.values())
    seen = [COUNTS.get(word, 0.5 if len(word) == 1 else 0) for word in words]
    return sum(math.log(count / total) if count else -math.inf for count in seen)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> TransformGraph:
    return TransformGraph(SCHEMA, (Segments("text"),), learned(tmp_path_factory.mktemp("words"), COUNTS))


@given(st.lists(st.lists(st.text(st.sampled_from("abc中文x"), min_size=1, max_size=7), max_size=3), max_size=3))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_token_is_cut_where_its_words_are_likeliest(graph: TransformGraph, rows: list[list[str]]) -> None:
    found = ids(graph, [" ".join(row) for row in rows])
    place = {word: number for number, word in enumerate(COUNTS)}
    for row, got in zip(rows, found, strict=True):
        expected = []
        for token in row:
            # Several cuts may be equally likely: ours must be one of them.
            ways = [[token]] if token in COUNTS else cuts(token)
            best = max(score(way) for way in ways)
            expected.append([way for way in ways if math.isclose(score(way), best, rel_tol=1e-5)])
        assert got in [[*flat] for flat in every_row(expected, place)]


def every_row(choices: list[list[list[str]]], place: dict[str, int]) -> list[list[int]]:
    rows: list[list[int]] = [[]]
    for ways in choices:
        rows = [[*row, *numbered(way, place)] for row in rows for way in ways]
    return rows


def numbered(words: list[str], place: dict[str, int]) -> list[int]:
    found: list[int] = []
    for word in words:
        number = place.get(word, len(COUNTS))
        if not (number == len(COUNTS) and found and found[-1] == number):
            found.append(number)
    return found


def test_unbroken_text_has_the_ids_of_its_words(graph: TransformGraph) -> None:
    assert ids(graph, ["中文 abc", "中文abc", "xx中文yy", "", "x"]) == [[7, 3], [7, 3], [9, 7, 9], [], [9]]


def test_an_exported_model_owns_both_tables(graph: TransformGraph, tmp_path: Path) -> None:
    call = tf.function(graph.__call__, input_signature=[graph.raw_spec])
    tf.saved_model.save(graph, str(tmp_path / "model"), signatures=call)
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    np.testing.assert_array_equal(
        loaded.signatures["serving_default"](text=tf.constant(["中文abc", "x a"]))["text"], [[7, 3], [9, 1]]
    )
    # A call where all words are listed has no token to cut, and one without any word has no token at all.
    call = loaded.signatures["serving_default"]
    np.testing.assert_array_equal(call(text=tf.constant(["ab"]))["text"], [[0]])
    assert call(text=tf.constant([""]))["text"].shape == (1, 0)


def test_nothing_learned_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="has no word that is seen 50 times"):
        Segments("text", minimum_count=50).graph(
            Statistics(
                1,
                fields={"text": FieldStatistics(1, 0, values=9, vocabulary=VocabularyFile("text.txt", 2, ((50, 0),)))},
            )
        )
