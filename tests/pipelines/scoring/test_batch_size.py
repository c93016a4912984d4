"""How many rows at a time: wide rows fewer, never too few to tell drift from chance."""

import pytest

from emberline.features.schema import Field
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.pipelines.scoring.batch_size import batch_rows_for, row_bytes, sample_rows_for

PICTURE, TEXT = Field("pixels", "float", shape=(28, 28)), Field("text", "string")
TAGS = Field("tags", "string", many=True)
LEARNED = Statistics(
    9,
    fields={
        "text": FieldStatistics(9, 0, text_lengths=(1, 500.0, 900)),
        "tags": FieldStatistics(9, 0, lengths=(0, 3.0, 5), text_lengths=(1, 4.0, 9)),
    },
)


@pytest.mark.parametrize(
    ("fields", "training", "expected"),
    [
        ([Field("age", "integer")], LEARNED, 8),
        ([PICTURE], LEARNED, 784 * 8),
        ([Field("image", "image", shape=(28, 28, 3))], LEARNED, 28 * 28 * 3 * 4),
        ([TEXT, TAGS], LEARNED, 500 + 3 * 4),
        ([TEXT, TAGS], Statistics(0), 16 + 8 * 16),
    ],
)
def test_a_row_weighs_what_it_did_in_training(fields: list[Field], training: Statistics, expected: int) -> None:
    assert row_bytes(fields, training) == expected


def test_wide_rows_are_taken_in_smaller_numbers() -> None:
    narrow, wide, huge = [Field("age", "integer")], [PICTURE], [Field("film", "float", shape=(9, 784))]
    batches = [batch_rows_for(fields, LEARNED) for fields in (narrow, wide, huge)]
    samples = [sample_rows_for(fields, LEARNED) for fields in (narrow, wide, huge)]
    assert batches == sorted(set(batches), reverse=True)
    assert samples == [40_000, 2_000, 2_000], "bound by values, but enough rows to compare"
