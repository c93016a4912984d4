"""The preview of columns, against pandas."""

import numpy as np
import pandas as pd
import pytest

from emberline.features.columns import Embedding, Image, Numeric, Vocabulary
from emberline.features.errors import BadInputError
from emberline.features.preview import preview
from emberline.features.schema import Field


def test_numbers_are_standardised_as_pandas_does_it() -> None:
    values = [30.5, 12.25, None, 47.0, 8.0]
    column = pd.Series(values, dtype="float64")
    expected = ((column - column.mean()) / column.std(ddof=0)).fillna(0.0)
    found = preview([Numeric("x", normalizer="zscore")], {"x": values})
    assert np.allclose(found["x"], expected, atol=1e-6)


def test_words_are_numbered_by_falling_count() -> None:
    words = ["b", "a", "b", "c", "b", "a"]
    order = {word: index for index, word in enumerate(pd.Series(words).value_counts().index)}
    assert preview([Vocabulary("word")], {"word": words})["word"] == [order[word] for word in words]


def test_of_a_view_its_ids_are_shown() -> None:
    view = Embedding(Vocabulary("tags", ("old", "new"), many=True), 4)
    assert preview([view], {"tags": [["new", "old"], []]}) == {"tags": [[1, 0], []]}


def test_a_field_that_values_do_not_tell_is_declared() -> None:
    column, pixels = Image("picture", height=1, width=1, channels=3), {"picture": [bytes([1, 2, 3])]}
    with pytest.raises(BadInputError, match=r"Field 'picture' has values of type binary.* Declare it in fields"):
        preview([column], pixels)
    assert preview([column], pixels, [Field("picture", "image")]) == {"picture": [[1, 2, 3]]}


def test_a_column_needs_its_field() -> None:
    with pytest.raises(BadInputError, match="agee"):
        preview([Numeric("agee")], {"age": [1.0]})
