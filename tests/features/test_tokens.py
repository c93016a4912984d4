"""Tokens of a text, against Python's own string methods."""

import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.tokens import Tokens

WORDS = st.text(st.sampled_from("aB1é中文.,!' \t\n"), max_size=30)


def split(tokens: Tokens, texts: list[str]) -> list[list[str]]:
    found = tokens.split(tf.constant(texts, tf.string)).to_list()
    return [[token.decode() for token in row] for row in found]


@given(st.lists(WORDS, max_size=5))
@settings(max_examples=60, deadline=None)
def test_white_space_separates_as_in_python(texts: list[str]) -> None:
    assert split(Tokens(), texts) == [text.split() for text in texts]


@given(st.lists(WORDS, max_size=5))
@settings(max_examples=60, deadline=None)
def test_characters_are_those_of_python(texts: list[str]) -> None:
    assert split(Tokens(by="character"), texts) == [list("".join(text.split())) for text in texts]


@given(st.lists(st.one_of(st.none(), WORDS), max_size=6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_column_has_the_tokens_of_its_texts(texts: list[str | None], encoded: bool) -> None:
    column = pa.chunked_array([pa.array(texts, pa.string())])
    if encoded:
        column = column.dictionary_encode()
    tokens = Tokens(lower=True, replace=((r"([.,!])", r" \1 "),))
    assert tokens.split_column(column).to_pylist() == split(tokens, [text or "" for text in texts])


def test_small_letters_patterns_runs_and_a_limit() -> None:
    tokens = Tokens(lower=True, replace=((r"[^\p{L}\d']+", " "),), ngrams=2, at_most=3)
    assert split(tokens, ["It's ÉTÉ, isn't it?", ""]) == [["it's", "été", "isn't", "it's été", "été isn't"], []]


def test_a_field_with_tokens_survives_json() -> None:
    field = Field("text", "string", tokens=Tokens(replace=(("a", "b"),), ngrams=2))
    schema = Schema((field, Field("age", "integer")), Label("label"), "key")
    assert Schema.from_json(schema.to_json()) == schema


@pytest.mark.parametrize("wrong", [{"kind": "integer"}, {"many": True}])
def test_only_single_texts_have_tokens(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInputError, match="only one text per row is split"):
        Field("text", **({"kind": "string", "tokens": Tokens()} | wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"ngrams": 0}, {"at_most": -1}, {"replace": (("a",),)}])
def test_a_split_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadInputError, match=r"Tokens"):
        Tokens(**wrong)  # type: ignore[arg-type]
