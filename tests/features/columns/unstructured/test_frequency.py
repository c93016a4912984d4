"""Shares of words beside their ids."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Frequency, Segments, Vocabulary
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics, VocabularyFile
from emberline.features.tokens import Tokens
from emberline.features.transform import TransformGraph

SCHEMA = Schema((Field("text", "string", tokens=Tokens()),), Label("label"), "key")


@pytest.fixture
def statistics(tmp_path: Path) -> Statistics:
    (tmp_path / "text.txt").write_text("the\t50\ncat\t30\nsat\t10\nhat\t6\nodd\t4\n")
    file = VocabularyFile("text.txt", 5, ((1, 5), (10, 3)))
    return Statistics(1, fields={"text": FieldStatistics(1, 0, values=100, vocabulary=file)}, folder=str(tmp_path))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Vocabulary("text", size=3, many=True), [[0.5, 0.1, 0.0], [0.3]]),
        (Vocabulary("text", size=3, unseen_buckets=2, many=True), [[0.5, 0.1, 0.05], [0.3]]),
        (Segments("text", minimum_count=10), [[0.5, 0.1, 0.1], [0.3]]),
    ],
    ids=["without unseen ids", "unseen ids share the rest", "segments"],
)
def test_each_word_has_the_share_of_its_id(
    source: Vocabulary | Segments, expected: list[list[float]], statistics: Statistics
) -> None:
    graph = TransformGraph(SCHEMA, (source, Frequency(source)), statistics)
    found = graph({"text": tf.constant(["the sat odd", "cat"])})
    shares = found["text_frequency"].numpy()
    assert (np.isnan(shares) == (found["text"].numpy() == -2)).all()
    for row, values in zip(shares, expected, strict=True):
        np.testing.assert_allclose(row[~np.isnan(row)], values, rtol=1e-6)


def test_only_learned_words_were_counted() -> None:
    for source in (Vocabulary("text", ("the", "cat"), many=True), Vocabulary("text")):
        with pytest.raises(BadInputError):
            Frequency(source).check(SCHEMA)
