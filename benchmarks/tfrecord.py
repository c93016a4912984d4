"""The TFRecord engine against tfx-bsl's C++ codec, `tf.train.Example` in Python, Spark's other ways, and plain tf.data.

`python -m benchmarks.tfrecord [--quick] [--only codec|input|spark]`. The row is the one of the design: 40 columns, 1
int64, 13 float32, 26 strings of 8 bytes, 782 bytes as a framed example. The codec runs on one core: our side writes
protobuf, frames and checksums, tfx-bsl (in its own environment, see `benchmarks.tfx_bsl_process`) only serializes.
`block_vs_plain` runs on all cores: the reader of the `block` layout against TFRecordDataset, shuffle, batch and
`tf.io.parse_example`, both shuffled and batched to 1,024, the 26 strings as integer ids.
"""

import json
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.ratios import Comparison, compare, one_core, print_json, print_table, seconds
from benchmarks.sizes import Size, sized_parser
from benchmarks.tfx_bsl_process import OpponentError, TfxBsl

_BATCH = 4096
_FLOATS, _STRINGS = 13, 26


def rows_of_design(rows: int, *, ids: bool = False) -> pa.RecordBatch:
    """The 40-column row; with `ids` the strings are integers, as after a transform."""
    random = np.random.default_rng(1)
    columns: dict[str, pa.Array] = {"label": pa.array(random.integers(0, 2, rows))}
    columns |= {f"f{n:02d}": pa.array(random.normal(size=rows).astype(np.float32)) for n in range(_FLOATS)}
    for n in range(_STRINGS):
        values = random.integers(0, 1 << 20, rows) if ids else np.char.mod("%08x", random.integers(0, 1 << 32, rows))
        columns[f"c{n:02d}"] = pa.array(values)
    return pa.RecordBatch.from_pydict(columns)


def rows_of_images(rows: int) -> pa.RecordBatch:
    """784 bytes and a label."""
    random = np.random.default_rng(2)
    pixels = [random.bytes(784) for _ in range(rows)]
    return pa.RecordBatch.from_pydict({"image": pa.array(pixels, pa.binary()), "label": pa.array(np.arange(rows) % 10)})


def rows_of_vectors(rows: int) -> pa.RecordBatch:
    """300 float32 and a label."""
    values = pa.array(np.random.default_rng(3).normal(size=300 * rows).astype(np.float32))
    offsets = pa.array(np.arange(0, 300 * rows + 1, 300, dtype=np.int32))
    return pa.RecordBatch.from_pydict(
        {"v": pa.ListArray.from_arrays(offsets, values), "label": pa.array(np.arange(rows))}
    )


def rows_of_lists(rows: int) -> pa.RecordBatch:
    """0 to 99 integers below 100,000 and a label."""
    random = np.random.default_rng(4)
    offsets = np.concatenate([[0], np.cumsum(random.integers(0, 100, rows))]).astype(np.int32)
    values = pa.array(random.integers(0, 100_000, offsets[-1]))
    lists = pa.ListArray.from_arrays(pa.array(offsets), values)
    return pa.RecordBatch.from_pydict({"ids": lists, "label": pa.array(np.arange(rows))})


class Codec:
    """One kind of row, both ways, both sides; speeds in rows per second."""

    def __init__(self, data: pa.RecordBatch, opponent: TfxBsl, folder: str, name: str) -> None:
        from emberline.features.tfrecord.codec.example import ExampleDecoder, ExampleEncoder, serialize_examples
        from emberline.features.tfrecord.codec.framing import Records

        self.rows = data.num_rows
        self.opponent = opponent
        self.batches = [data.slice(start, _BATCH) for start in range(0, data.num_rows, _BATCH)]
        self.encoder = ExampleEncoder(data.schema)
        self.decoder = ExampleDecoder(data.schema)
        self.records = [Records.of(serialize_examples(batch)) for batch in self.batches]
        self.encode_path, self.decode_path = (os.path.join(folder, f"{name}.{way}") for way in ("encode", "decode"))
        _write_arrow(self.encode_path, [_as_lists(batch) for batch in self.batches])
        one = [pa.RecordBatch.from_arrays([serialize_examples(batch)], names=["record"]) for batch in self.batches]
        _write_arrow(self.decode_path, one)
        Path(self.decode_path + ".schema").write_text(json.dumps([(i.name, _kind(i.type)) for i in data.schema]))

    def encode(self) -> float:
        """Ours: protobuf, frames and checksums."""
        return self.rows / seconds(lambda: [self.encoder.encode(batch) for batch in self.batches])

    def serialize(self) -> float:
        """Ours without frames and checksums."""
        return self.rows / seconds(lambda: [self.encoder.encode(batch, framed=False) for batch in self.batches])

    def decode(self) -> float:
        """Ours, from records in memory."""
        return self.rows / seconds(lambda: [self.decoder.decode(records) for records in self.records])

    def their_encode(self) -> float:
        """tfx-bsl's `RecordBatchToExamplesEncoder`."""
        return self.rows / self.opponent.encode(self.encode_path)

    def their_decode(self) -> float:
        """tfx-bsl's `ExamplesToRecordBatchDecoder` with a schema."""
        return self.rows / self.opponent.decode(self.decode_path)

    def copy(self) -> float:
        """The floor: copy the framed bytes and compute their checksum."""
        from emberline.features.tfrecord.codec.framing import crc32c

        framed = [np.frombuffer(bytes(self.encoder.encode(batch)), np.uint8) for batch in self.batches]
        target = np.empty(max(len(item) for item in framed), np.uint8)

        def run() -> None:
            for item in framed:
                np.copyto(target[: len(item)], item)
                crc32c(target[: len(item)])

        return self.rows / seconds(run)


def _as_lists(batch: pa.RecordBatch) -> pa.RecordBatch:
    """tfx-bsl encodes only columns of large lists."""
    arrays = []
    for array in batch.columns:
        leaf = array.type.value_type if pa.types.is_list(array.type) else array.type
        leaf = pa.large_binary() if _kind(leaf) == "bytes" else leaf
        if not pa.types.is_list(array.type):
            offsets = pa.array(np.arange(len(array) + 1))
            array = pa.LargeListArray.from_arrays(offsets, pa.concat_arrays([array]).cast(leaf))
        arrays.append(array.cast(pa.large_list(leaf)))
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def _kind(kind: pa.DataType) -> str:
    leaf = kind.value_type if pa.types.is_list(kind) else kind
    return {pa.int64(): "int64", pa.float32(): "float32"}.get(leaf, "bytes")


def _write_arrow(path: str, batches: Sequence[pa.RecordBatch]) -> None:
    with pa.OSFile(path, "wb") as file, pa.ipc.new_file(file, batches[0].schema) as writer:
        for batch in batches:
            writer.write_batch(batch)


def encode_vs_python(data: pa.RecordBatch, ours: Callable[[], float], repeats: int) -> Comparison:
    """`tf.train.Example` per row, serialized, as everybody writes it first."""
    import tensorflow as tf

    rows = data.to_pylist()

    def one(value: Any) -> Any:
        if isinstance(value, str):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value.encode()]))
        if isinstance(value, float):
            return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))

    def run() -> None:
        for row in rows:
            features = tf.train.Features(feature={name: one(value) for name, value in row.items()})
            tf.train.Example(features=features).SerializeToString()

    return compare(ours, lambda: len(rows) / seconds(run), repeats=repeats)


def measure_codec(size: Size) -> dict[str, Comparison]:
    """All comparisons of the codec, on one core."""
    rows, repeats = size.of((200_000, 9), (40_000, 5), (2_000, 1))
    found: dict[str, Comparison] = {}
    with one_core(), tempfile.TemporaryDirectory() as folder:
        data = rows_of_design(rows)
        try:
            with TfxBsl(install=size is not Size.TINY) as opponent:
                codec = Codec(data, opponent, folder, "design")
                found["encode_vs_tfx_bsl"] = compare(codec.encode, codec.their_encode, repeats=repeats)
                found["decode_vs_tfx_bsl"] = compare(codec.decode, codec.their_decode, repeats=repeats)
                found["(encode without frames and CRC)"] = compare(codec.serialize, codec.their_encode, repeats=repeats)
                found["encode_vs_memcpy_crc"] = compare(codec.encode, codec.copy, repeats=repeats)
                others = {"images": rows_of_images, "vectors": rows_of_vectors, "ragged": rows_of_lists}
                for name, make in others.items():
                    other = Codec(make(rows // 4), opponent, folder, name)
                    found[f"encode_{name}_vs_tfx_bsl"] = compare(other.encode, other.their_encode, repeats=repeats)
                    found[f"decode_{name}_vs_tfx_bsl"] = compare(other.decode, other.their_decode, repeats=repeats)
                    found[f"encode_{name}_vs_memcpy_crc"] = compare(other.encode, other.copy, repeats=repeats)
        except OpponentError as error:
            print(f"tfx-bsl is not measured: {error}")
        from emberline.features.tfrecord.codec.example import ExampleEncoder

        encoder, batches = ExampleEncoder(data.schema), [data.slice(at, _BATCH) for at in range(0, rows, _BATCH)]
        found["encode_vs_python"] = encode_vs_python(
            data.slice(0, rows // 40), lambda: rows / seconds(lambda: [encoder.encode(b) for b in batches]), repeats
        )
        print(
            "encode, rows per call: "
            + ", ".join(f"{n}: {_encode_speed(data, n):,.0f} rows/s" for n in (1, 16, 128, 1024, 16384))
        )
    return found


def _encode_speed(data: pa.RecordBatch, size: int) -> float:
    """What the size of a batch changes."""
    from emberline.features.tfrecord.codec.example import ExampleEncoder

    encoder, calls = ExampleEncoder(data.schema), max(1, min(200, data.num_rows // size))
    batches = [data.slice(n * size, size) for n in range(calls)]
    times = [seconds(lambda: [encoder.encode(batch) for batch in batches]) for _ in range(3)]
    return sum(batch.num_rows for batch in batches) / statistics.median(times)


def measure_input(size: Size) -> dict[str, Comparison]:
    """The reader of each layout against tf.data's usual pipeline, on all cores."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    from emberline.features.tfrecord.input import read_epoch
    from emberline.features.tfrecord.layouts import shard_name, write_shard
    from emberline.features.tfrecord.manifest import LAYOUTS, ShardSet

    # setting up an epoch takes some 0.3 s on every side: enough rows that it hardly counts
    rows, files, repeats = size.of((3_000_000, 4, 7), (600_000, 4, 3), (40_000, 4, 1))
    everything = rows_of_design(rows, ids=True)
    with tempfile.TemporaryDirectory() as folder:
        sets = {}
        for layout in LAYOUTS:
            base = os.path.join(folder, layout)
            data = everything.slice(0, rows if layout == "block" else rows // 10)
            shards = [
                write_shard(
                    os.path.join(base, shard_name(n, files)),
                    [data.slice(n * len(data) // files, len(data) // files)],
                    schema=data.schema,
                    layout=layout,
                )
                for n in range(files)
            ]
            sets[layout] = base, ShardSet(data.schema, layout, None, 1000, tuple(shards))

        def count(dataset: Any) -> int:
            return int(dataset.reduce(np.int64(0), lambda n, batch: n + tf.size(batch["label"], out_type=tf.int64)))

        def speed(layout: str) -> float:
            base, shards = sets[layout]
            return _speed(lambda: count(read_epoch(base, shards, batch_size=1024, seed=1)))

        usual_spec = {
            item.name: tf.io.FixedLenFeature([], tf.int64 if item.type == pa.int64() else tf.float32)
            for item in everything.schema
        }

        def usual() -> float:
            paths = [os.path.join(sets["plain"][0], shard.path) for shard in sets["plain"][1].shards]
            dataset = tf.data.TFRecordDataset(paths, num_parallel_reads=tf.data.AUTOTUNE).shuffle(16_384)
            dataset = dataset.batch(1024, drop_remainder=True).map(
                lambda batch: tf.io.parse_example(batch, usual_spec), num_parallel_calls=tf.data.AUTOTUNE
            )
            return _speed(lambda: count(dataset.prefetch(tf.data.AUTOTUNE)))

        return {
            "block_vs_plain": compare(lambda: speed("block"), usual, repeats=repeats),
            "(packed, our reader)": compare(lambda: speed("packed"), usual, repeats=repeats),
            "(plain, our reader)": compare(lambda: speed("plain"), usual, repeats=repeats),
        }


def _speed(read: Callable[[], int]) -> float:
    """Rows per second of a function that returns how many rows it read."""
    rows: list[int] = []
    taken = seconds(lambda: rows.append(read()))
    return rows[0] / taken


def measure_spark(size: Size) -> dict[str, list[float]]:
    """The ratios of `benchmarks.tfrecord_spark`."""
    from benchmarks.tfrecord_spark import measure

    return dict(measure(size))


def main() -> None:
    """Print tables and one JSON line."""
    parser = sized_parser(__doc__, "less data, fewer turns")
    parser.add_argument("--only", choices=("codec", "input", "spark"), help="one part instead of all")
    options = parser.parse_args()
    size: Size = options.size
    ratios: dict[str, list[float]] = {}
    for part, measure in (("codec", measure_codec), ("input", measure_input)):
        if options.only in (None, part):
            found = measure(size)
            print_table(found)
            ratios |= {key: item.ratios for key, item in found.items() if not key.startswith("(")}
    if options.only in (None, "spark"):
        ratios |= measure_spark(size)
    print_json("tfrecord", ratios, size)


if __name__ == "__main__":
    main()
