"""Arrow rows to padded tensors and back: every row comes back as it was."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.tensors import encoded_tensors, padded, raw_tensors, stored_array, stored_tensor

LABEL = Label("label", (("0",), ("1",)))


def tensor(values: list, kind: pa.DataType, field: Field) -> tf.Tensor:
    batch = pa.RecordBatch.from_pydict({"x": pa.array([None, *values, None], kind)}).slice(1, len(values))
    return raw_tensors(batch, Schema((field,), LABEL, "key"))["x"]


def test_texts() -> None:
    found = tensor([["b", None, "a"], None, [], ["", "b"]], pa.list_(pa.string()), Field("x", "string", many=True))
    assert found.numpy().tolist() == [[b"b", b"", b"a"], [b""] * 3, [b""] * 3, [b"", b"b", b""]]
    assert tensor(["a", None], pa.string(), Field("x", "string")).numpy().tolist() == [b"a", b""]


def test_numbers() -> None:
    integers = tensor([[3, None], None, [4]], pa.list_(pa.int32()), Field("x", "integer", many=True))
    assert integers.dtype == tf.int64
    assert integers.numpy().tolist() == [[3, -1], [-1, -1], [4, -1]]
    floats = tensor([[], [1.5, None]], pa.large_list(pa.float64()), Field("x", "float", many=True))
    np.testing.assert_array_equal(floats, [[np.nan] * 2, [1.5, np.nan]])
    assert tensor([[], None], pa.list_(pa.int64()), Field("x", "integer", many=True)).shape == (2, 0)


@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float64(), 4)])
def test_arrays(kind: pa.DataType) -> None:
    found = tensor([[1, 2, 3, 4], None, [5, None, 7, 8]], kind, Field("x", "float", shape=(2, 2)))
    np.testing.assert_array_equal(found, [[[1, 2], [3, 4]], [[np.nan] * 2] * 2, [[5, np.nan], [7, 8]]])


@pytest.mark.parametrize("kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 2), pa.list_(pa.int32())])
@pytest.mark.parametrize("whole", [True, False])
def test_arrays_of_the_width_a_graph_takes(kind: pa.DataType, whole: bool) -> None:
    values = pa.array([[1, 2], [3, 4] if whole else [3, None], [5, 6] if whole else None], kind)
    schema = Schema((Field("x", "float", shape=(2,)),), LABEL, "key")
    expected = values.cast(pa.list_(pa.float64())).to_pylist()
    for dtype in (tf.float32, tf.float64):
        spec = {"x": tf.TensorSpec([None, 2], dtype, "x")}
        found = encoded_tensors(pa.RecordBatch.from_pydict({"x": values}), schema, spec)["x"]
        assert found.dtype == dtype
        rows = [row or [None, None] for row in expected]
        np.testing.assert_array_equal(found, [[np.nan if one is None else one for one in row] for row in rows])


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_pixels_go_as_they_are_and_missing_ones_are_black(kind: pa.DataType) -> None:
    field = Field("x", "image", shape=(1, 2, 3))
    schema, spec = Schema((field,), LABEL, "key"), {"x": tf.TensorSpec([None, 1, 2, 3], tf.uint8, "x")}

    def pixels(rows: list[bytes | None]) -> np.ndarray:
        array = pa.array([b"before", *rows], kind).slice(1)
        return encoded_tensors(pa.RecordBatch.from_arrays([array], names=["x"]), schema, spec)["x"].numpy()

    np.testing.assert_array_equal(pixels([b"abcdef", b"\0" * 6]), [[[[97, 98, 99], [100, 101, 102]]], [[[0] * 3] * 2]])
    np.testing.assert_array_equal(pixels([b"", b"abcdef", None])[:, 0, 1], [[0] * 3, [100, 101, 102], [0] * 3])
    assert pixels([]).shape == (0, 1, 2, 3)
    with pytest.raises(BadInputError, match=r"has the shape \(1, 2, 3\), 6 bytes; a row has 5"):
        pixels([b"abcde"])


def test_an_array_of_another_size_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"has the shape \(2, 2\), 4 values; a row has 3"):
        tensor([[1, 2, 3]], pa.list_(pa.float64()), Field("x", "float", shape=(2, 2)))


def test_stored_rows_keep_what_is_inside_and_lose_what_is_behind() -> None:
    ids = stored_array(tf.constant([[3, -1, -2], [-1, -2, -2], [-2, -2, -2]], tf.int64), (None,))
    assert ids.to_pylist() == [[3, -1], [-1], []]
    assert ids.type == pa.list_(pa.int64())
    nan = float("nan")
    numbers = stored_array(tf.constant([[nan, 2.0, nan], [nan] * 3]), (None,))
    assert [len(row) for row in numbers.to_pylist()] == [2, 0]
    assert stored_array(np.zeros((2, 0), np.int64), (None,)).to_pylist() == [[], []]
    for array in (ids, ids.slice(1)):
        assert stored_array(stored_tensor(array), (None,)).to_pylist() == array.to_pylist()
    fixed = stored_array(tf.constant([[1.0, 2.0], [3.0, 4.0]]), (2,))
    assert fixed.to_pylist() == [[1, 2], [3, 4]]
    np.testing.assert_array_equal(stored_tensor(fixed.slice(1)), [[3, 4]])
    assert stored_tensor(stored_array(tf.constant([1, 2]), ())).numpy().tolist() == [1, 2]


def test_batches_of_a_reader_are_padded() -> None:
    ids = padded(tf.ragged.constant([[3, -1], [], [5]], dtype=tf.int64))
    assert ids.numpy().tolist() == [[3, -1], [-2, -2], [5, -2]]
    np.testing.assert_array_equal(padded(tf.ragged.constant([[1.0], []])), [[1.0], [np.nan]])
    plain = tf.constant([1])
    assert padded(plain) is plain
