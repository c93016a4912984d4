"""Pixels in shards: a byte each, in every layout, and back."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features.tfrecord.input import read_epoch
from emberline.features.tfrecord.layouts import read_shard, write_shard
from emberline.features.tfrecord.manifest import Layout, ManifestError, ShardSet, type_name

ROWS, SIZES = 57, {"image": 12, "mask": 4}


@pytest.fixture(scope="module")
def rows() -> pa.RecordBatch:
    generator = np.random.default_rng(1)
    pixels = {
        name: pa.FixedSizeListArray.from_arrays(
            pa.array(generator.integers(0, 256, ROWS * size, dtype=np.uint8).astype(np.uint8)), size
        )
        for name, size in SIZES.items()
    }
    numbers = {"label": pa.array(np.arange(ROWS), pa.float32()), "key": pa.array([f"row {n}" for n in range(ROWS)])}
    return pa.record_batch(pixels | numbers)


@pytest.mark.parametrize("layout", ["block", "packed", "plain"])
def test_pixels_come_back_as_they_were(rows: pa.RecordBatch, layout: Layout, tmp_path: Path) -> None:
    uri = str(tmp_path)
    batches = [rows.slice(0, 20), rows.slice(20, 3), rows.slice(23)]
    shard = write_shard(f"{uri}/one", batches, schema=rows.schema, layout=layout, rows_per_block=10)
    shards = ShardSet.from_json(ShardSet(rows.schema, layout, None, 10, (shard,)).to_json())
    assert shards.schema == rows.schema
    assert pa.Table.from_batches(list(read_shard(uri, shards, shard))).equals(pa.table(rows))
    assert shard.bytes < ROWS * (sum(SIZES.values()) + 120)  # a byte per pixel, beside the rest of a record

    found = list(read_epoch(uri, shards, batch_size=8, drop_remainder=False))
    image = np.concatenate([batch["image"].numpy() for batch in found])
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, rows.column("image").flatten().to_numpy().reshape(ROWS, -1))
    np.testing.assert_array_equal(
        np.concatenate([batch["mask"].numpy() for batch in found]),
        rows.column("mask").flatten().to_numpy().reshape(ROWS, -1),
    )
    assert read_epoch(uri, shards, batch_size=8, columns=["image"]).element_spec["image"].shape.as_list() == [8, 12]

    shuffled = {
        int(label): tuple(pixels)
        for batch in read_epoch(uri, shards, batch_size=8, seed=1, drop_remainder=False)
        for label, pixels in zip(batch["label"].numpy(), batch["image"].numpy(), strict=True)
    }
    assert shuffled == {index: tuple(image[index]) for index in range(ROWS)}


def test_a_packed_record_is_an_example_with_one_string_of_pixels(rows: pa.RecordBatch, tmp_path: Path) -> None:
    write_shard(f"{tmp_path}/one", [rows], schema=rows.schema, layout="packed")
    record = next(iter(tf.data.TFRecordDataset(f"{tmp_path}/one"))).numpy()
    pixels = tf.train.Example.FromString(record).features.feature["uint8"].bytes_list.value
    assert list(map(len, pixels)) == [sum(SIZES.values())]


def test_any_number_of_pixels_is_no_type_of_transformed_data() -> None:
    with pytest.raises(ManifestError, match="fixed_size_list of uint8"):
        type_name("image", pa.list_(pa.uint8()))
