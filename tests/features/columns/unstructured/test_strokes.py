"""Steps of a pen against the parsing that the tutorial meant."""

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Strokes
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.features.transform import TransformGraph

SCHEMA = Schema(
    (Field("across", "float", many=True), Field("down", "float", many=True), Field("ends", "integer", many=True)),
    Label("word", (("cat",), ("dog",))),
    "key",
)
COLUMN = Strokes("across", "down", "ends")
LENGTHS = (25, 3, 3, 3, 4, 2, 3, 8, 2)
"""Points of each stroke of the drawing of a cat that the tutorial prints."""


def parse_line(strokes: list[np.ndarray]) -> np.ndarray:
    """The tutorial's own parsing, with its two faults mended as its source code mends them: `[points - 1, 3]`."""
    ink = np.zeros((sum(len(stroke) for stroke in strokes), 3), np.float64)
    place = 0
    for stroke in strokes:
        ink[place : place + len(stroke), :2] = stroke
        place += len(stroke)
        ink[place - 1, 2] = 1  # the end of a stroke, not its beginning
    lower, upper = ink[:, :2].min(axis=0), ink[:, :2].max(axis=0)
    scale = upper - lower
    scale[scale == 0] = 1
    ink[:, :2] = (ink[:, :2] - lower) / scale
    ink[1:, :2] -= ink[:-1, :2].copy()  # and the third column stays
    return ink[1:]


def raw(drawings: list[list[np.ndarray]]) -> dict[str, tf.Tensor]:
    longest = max(sum(len(stroke) for stroke in strokes) for strokes in drawings)
    across, down = np.full((2, len(drawings), longest), np.nan)
    ends = np.full((len(drawings), longest), -1)
    for row, strokes in enumerate(drawings):
        points = np.concatenate(strokes)
        across[row, : len(points)], down[row, : len(points)] = points.T
        ends[row, : len(points)] = np.concatenate([np.eye(1, len(one), len(one) - 1)[0] for one in strokes])
    return {"across": tf.constant(across), "down": tf.constant(down), "ends": tf.constant(ends, tf.int64)}


def test_steps_are_those_of_the_tutorial() -> None:
    draw = np.random.default_rng(1)
    drawings = [
        [draw.integers(0, 256, (length, 2)).astype(float) for length in lengths]
        for lengths in (LENGTHS, (4,), (2, 2), (1, 5))
    ]
    drawings.append([np.array([[3.0, 7.0], [9.0, 7.0]])])  # as flat as can be
    drawings.append([np.array([[3.0, 7.0]])])  # a single point has no steps
    made = TransformGraph(SCHEMA, (COLUMN,), Statistics(1))(raw(drawings))["strokes"].numpy()
    for row, strokes in zip(made, drawings, strict=True):
        expected = parse_line(strokes)
        steps = row.reshape(-1, 3)
        assert np.isnan(steps[len(expected) :]).all()
        np.testing.assert_allclose(steps[: len(expected)], expected, atol=1e-6)
    cat = made[0].reshape(-1, 3)
    cat = cat[~np.isnan(cat[:, 0])]
    assert (cat.shape, cat[:, 2].sum()) == ((52, 3), 9)


def test_a_batch_without_a_point_has_no_steps() -> None:
    nothing = {
        name: tf.zeros((2, 0), kind)
        for name, kind in (("across", tf.float64), ("down", tf.float64), ("ends", tf.int64))
    }
    assert TransformGraph(SCHEMA, (COLUMN,), Statistics(1))(nothing)["strokes"].shape == (2, 0)


def test_it_reads_fields_of_many_numbers() -> None:
    with pytest.raises(BadInputError, match="three different fields"):
        Strokes("across", "across", "ends")
    schema = Schema((Field("across", "float"), *SCHEMA.fields[1:]), SCHEMA.label, "key")
    with pytest.raises(BadInputError, match="'across' has one value per row"):
        COLUMN.check(schema)
