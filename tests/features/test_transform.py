"""What the transform graph does beside its columns: defaults, forms, and the parsing of examples."""

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Crossed, Identity, Numeric, Vocabulary, Weighted, stored
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.transform import TransformGraph

LABEL = Label("label", (("0",), ("1",)))
SCHEMA = Schema(
    (
        Field("tags", "string", many=True, default="none"),
        Field("codes", "integer", many=True),
        Field("strength", "float", many=True),
        Field("box", "float", shape=(2, 2), default=0.5),
        Field("age", "integer"),
    ),
    LABEL,
    "key",
)
STATISTICS = Statistics(5, (2, 3), None, {"box": FieldStatistics(5, 0, mean=1.0)})
COLUMNS = (
    Vocabulary("tags", ("a", "none"), many=True),
    Identity("codes", 10, many=True),
    Numeric("box", shape=(2, 2)),
    Weighted(Identity("codes", 10, many=True), "strength"),
    Identity("age", 100),
)


def example(**values: list) -> bytes:
    features = {
        name: tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[text.encode() for text in items])
            if isinstance(items[0], str)
            else None,
            int64_list=tf.train.Int64List(value=items) if isinstance(items[0], int) else None,
            float_list=tf.train.FloatList(value=items) if isinstance(items[0], float) else None,
        )
        for name, items in values.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def test_examples_become_model_inputs() -> None:
    graph = TransformGraph(SCHEMA, stored(COLUMNS), STATISTICS)
    rows = [
        example(tags=["a", "", "b"], codes=[3, -1, 30, 4], strength=[0.5, 2.0], box=[1.0, 2.0, 3.0, 4.0], age=[7]),
        example(strength=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ]
    found = tf.function(lambda examples: graph(graph.parse(examples)))(tf.constant(rows))
    assert found["tags"].numpy().tolist() == [[0, -1, -1], [1, -2, -2]]
    assert found["codes"].numpy().tolist() == [[3, -1, -1, 4], [-2] * 4]
    np.testing.assert_array_equal(found["codes_weighted_by_strength"], [[0.5, 2, 1, 1], [np.nan] * 4])
    np.testing.assert_array_equal(found["box"], [[1, 2, 3, 4], [0.5] * 4])
    assert found["age"].numpy().tolist() == [7, -1]


def test_a_missing_weight_is_one() -> None:
    graph = TransformGraph(SCHEMA, stored(COLUMNS[3:4]), STATISTICS)
    codes = tf.constant([[3, 4, 5], [6, -1, -1]], tf.int64)
    found = graph({"codes": codes, "strength": tf.constant([[0.5], [2.0]], tf.float64)})
    np.testing.assert_array_equal(found["codes_weighted_by_strength"], [[0.5, 1, 1], [2, np.nan, np.nan]])


def test_a_default_is_the_one_value_of_an_empty_row() -> None:
    graph = TransformGraph(SCHEMA, stored(COLUMNS[:1]), STATISTICS)
    assert graph({"tags": tf.constant([["", ""], ["", "a"]])})["tags"].numpy().tolist() == [[1, -2], [-1, 0]]
    assert graph({"tags": tf.zeros([2, 0], tf.string)})["tags"].numpy().tolist() == [[1], [1]]


def test_specs_follow_the_fields() -> None:
    graph = TransformGraph(SCHEMA, stored(COLUMNS), STATISTICS)
    shapes = {name: spec.shape.as_list() for name, spec in graph.raw_spec.items()}
    assert shapes == {
        "tags": [None, None], "codes": [None, None], "strength": [None, None], "box": [None, 2, 2], "age": [None],
    }  # fmt: skip


def test_a_column_of_another_form_is_refused_before_any_row() -> None:
    with pytest.raises(BadInputError, match="declare the cross with many=True"):
        TransformGraph(SCHEMA, (Crossed(("tags", "age"), 9),), STATISTICS)
    with pytest.raises(BadInputError, match="any number of values per row; declare the column with many=True"):
        TransformGraph(SCHEMA, (Vocabulary("tags", ("a",)),), STATISTICS)
