"""Checked rows to stored columns: images that were read go past the graph, and come out as it would give them."""

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features.columns import Image, Numeric, Transformed, arrow_schema
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.features.tensors import raw_tensors, stored_tensor
from emberline.features.transform import TransformGraph
from emberline.pipelines.preparation.row_transform import RowTransform

SHAPE = (6, 8, 3)


def rows(count: int) -> pa.RecordBatch:
    draw = np.random.default_rng(1)
    pictures = [row.tobytes() for row in draw.integers(0, 256, (count, *SHAPE), dtype=np.uint8)]
    pictures[1] = None
    return pa.record_batch(
        {
            "image": pa.array(pictures, pa.binary()),
            "age": pa.array([None, *range(1, count)], pa.int64()),
            "key": pa.array([str(index) for index in range(count)]),
        }
    )


def stored(schema: Schema, columns: tuple[Transformed, ...], batch: pa.RecordBatch) -> pa.RecordBatch:
    types = arrow_schema(columns).append(pa.field("key", pa.string()))
    (found,) = RowTransform(schema, columns, Statistics(0), types)(iter([batch]))
    assert found.schema == types
    assert found.column("key").equals(batch.column("key"))
    return found


@pytest.mark.parametrize("stored_as", ["pixels", "png"])
def test_the_same_as_by_the_graph(stored_as: str) -> None:
    """Beside a column that goes through it."""
    columns = (Image("image", *SHAPE, stored_as=stored_as), Numeric("age", default=-1.0))  # type: ignore[arg-type]
    schema = Schema((Field("image", "image", shape=SHAPE), Field("age", "integer")), Label("label"), "key")
    batch = rows(5)
    expected = TransformGraph(schema, columns, Statistics(0))(raw_tensors(batch, schema))
    found = stored(schema, columns, batch)
    for name, shape in (("image", SHAPE), ("age", ())):
        np.testing.assert_array_equal(stored_tensor(found.column(name), shape), expected[name])


def test_images_alone_need_no_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tf, "function", None)
    columns = (Image("image", *SHAPE),)
    found = stored(Schema((Field("image", "image", shape=SHAPE),), Label("label"), "key"), columns, rows(3))
    assert not np.asarray(stored_tensor(found.column("image"), SHAPE))[1].any()


def test_files_that_nobody_read_go_through_the_graph() -> None:
    """A field without a shape: its images were not looked at before."""
    columns = (Image("image", 3, 4),)
    schema = Schema((Field("image", "image"),), Label("label"), "key")
    png = tf.io.encode_png(np.full((3, 4, 3), 7, np.uint8)).numpy()
    batch = pa.record_batch({"image": pa.array([png], pa.binary()), "key": ["a"]})
    assert (np.asarray(stored_tensor(stored(schema, columns, batch).column("image"), (3, 4, 3))) == 7).all()


def test_a_column_of_another_size_is_refused() -> None:
    schema = Schema((Field("image", "image", shape=SHAPE),), Label("label"), "key")
    with pytest.raises(BadInputError, match=r"is \(3, 4, 3\), crop; the rows have it as \(6, 8, 3\)"):
        stored(schema, (Image("image", 3, 4),), rows(3))
