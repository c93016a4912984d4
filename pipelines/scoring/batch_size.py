"""How many rows to take at a time, from what a row weighs: as long as it was in training, or as one may guess."""

from collections.abc import Sequence
from math import prod

from emberline.features.schema import Field
from emberline.features.statistics import Statistics

BATCH_BYTES, FEWEST, MOST = 16 << 20, 256, 32_768
"""Enough rows that calls cost little, few enough for the memory of many tasks."""

SAMPLE_BYTES, LEAST_SAMPLE, LARGEST_SAMPLE = 8 << 20, 2_000, 40_000
"""Rows that are compared with those of training: a million numbers, however they are spread over rows. A share is off
by 0.011 at most among the fewest rows and by 0.0025 among the most, two times of three."""

NUMBER_BYTES, TEXT_BYTES, MANY = 8, 16, 8
"""A number; a text, and the values of a field of many values, as far as one may guess."""

PIXEL_BYTES = 4
"""A byte in a row, and a number as soon as a network looks at it."""

SOUND_SAMPLE_BYTES, SOUND_SAMPLES = 4, 16_000
"""A sample of a sound once it is decoded, and how many a sound has, as far as one may guess."""


def batch_rows_for(fields: Sequence[Field], training: Statistics) -> int:
    """Returns rows that the model takes at a time: some 16 MiB."""
    fewest = 1 if any(field.is_file for field in fields) else FEWEST
    return min(MOST, max(fewest, BATCH_BYTES // row_bytes(fields, training)))


def sample_rows_for(fields: Sequence[Field], training: Statistics) -> int:
    """Returns rows that are compared with the training's: some 8 MiB, and as many as make a distance meaningful."""
    return min(LARGEST_SAMPLE, max(LEAST_SAMPLE, SAMPLE_BYTES // row_bytes(fields, training)))


def row_bytes(fields: Sequence[Field], training: Statistics) -> int:
    """Returns bytes of the values of a row, about.

    Args:
        fields: Its fields.
        training: How long texts and lists were on average.
    """
    return max(1, round(sum(_field_bytes(field, training) for field in fields)))


def _field_bytes(field: Field, training: Statistics) -> float:
    facts = training.fields.get(field.name)
    values: float = prod(field.shape)
    if field.several:
        values = facts.lengths[1] if facts and facts.lengths else MANY
    if field.kind == "image":
        return values * PIXEL_BYTES
    if field.kind == "sound":
        known = facts.sound if facts else None
        return SOUND_SAMPLE_BYTES * (known.seconds[1] * known.rates[1] if known else SOUND_SAMPLES)
    if field.kind != "string":
        return values * NUMBER_BYTES
    return values * (facts.text_lengths[1] if facts and facts.text_lengths else TEXT_BYTES)
