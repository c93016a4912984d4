"""Photographs into shards: `python -m benchmarks.images [--quick]`.

Files of scikit-learn's two photographs, cut and scaled to several sizes, are decoded, cropped to 224 × 224 and written
as TFRecords on Spark `local[2]`, in the session that jobs have, each side from the same rows of Spark's `binaryFile`:

- ours: `emberline.features.validation.images.ImageCheck` (what `etl` does to check images), then shards by
`ShardWriter`;
- theirs: what everybody writes first: `rdd.map` of a function around Pillow, `tf.train.Example`, `TFRecordWriter`.

`etl_vs_pillow` is measured on a mixture of sizes, as a folder of photographs has them; each size alone is in the table,
so is the whole step `etl` (`whole_etl_vs_pillow`), and so is `tf.data` without Spark, with as many parallel calls,
writing the same examples as theirs.
"""

import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.ratios import Comparison, compare, print_json, print_table, seconds
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.datasets.images.imagenet import CLASSES
from emberline.pipelines.runtime.session import session

SIDE = 224
SIZES = ((500, 375), (1024, 768), (2048, 1536))
MIXTURE = "mixed"
FILES, QUICK_FILES, COPIES = 400, 150, 4
"""Of each size; the mixture has all of them, each so many times, for a job that is no longer all beginning."""

WHOLE = "whole etl, Pillow"
WARMING = 4
"""Jobs that do not count: Spark takes its idle Python workers in turn, and each of them has to load TensorFlow once."""


def write_photographs(folder: str, files: int) -> dict[str, int]:
    """JPEGs of every size and of all sizes together; how many by folder."""
    import numpy as np
    import sklearn.datasets
    from PIL import Image

    source = Path(sklearn.datasets.__file__).parent / "images"
    originals = [Image.open(source / name).convert("RGB") for name in ("china.jpg", "flower.jpg")]
    generator = np.random.default_rng(1)
    made: dict[str, int] = {}
    for width, height in SIZES:
        name = f"{width} × {height}"
        for index in range(files):
            picture = originals[index % 2]
            left, top = generator.integers(0, 100), generator.integers(0, 60)
            cut = picture.crop((left, top, left + 530, top + 360)).resize((width, height), Image.Resampling.BICUBIC)
            path = Path(folder, name, f"{width}-{index}.jpg")
            path.parent.mkdir(exist_ok=True, parents=True)
            cut.save(path, "JPEG", quality=85)
            for copy in range(COPIES):
                kind = CLASSES[index % len(CLASSES)]
                linked = Path(folder, MIXTURE, "val" if index < len(CLASSES) else "train", kind, f"{copy}-{path.name}")
                linked.parent.mkdir(exist_ok=True, parents=True)
                linked.hardlink_to(path)
        made[name] = files
    made[MIXTURE] = COPIES * len(SIZES) * files
    return made


def read_files(spark: Any, folder: str) -> Any:
    """The rows that both sides begin with."""
    files = spark.read.format("binaryFile").option("recursiveFileLookup", "true").load(folder)
    return files.select("path", "content")


def ours(spark: Any, folder: str, target: str) -> None:
    """The ETL's own classes, without its staging, shuffle and statistics."""
    import pyarrow as pa
    from pyspark.sql import functions as F

    from emberline.features.columns import Image, arrow_schema
    from emberline.features.schema import Field, Label, Schema
    from emberline.features.statistics import Statistics
    from emberline.features.validation.images import check_images
    from emberline.pipelines.preparation.row_transform import RowTransform
    from emberline.pipelines.preparation.shard_writer import SHARD_REPORT, ShardWriter, fitted
    from emberline.pipelines.recipe import Preparation

    column = Image("image", SIDE, SIDE)
    schema = Schema((Field("image", "image", shape=column.stored_shape),), Label("label"), "path")
    stored = arrow_schema([column]).append(pa.field("path", pa.string()))
    transform = RowTransform(schema, (column,), Statistics(0), stored)
    files = read_files(spark, folder).withColumnRenamed("content", "image")
    checked = check_images(files.withColumn("reason", F.lit(None).cast("string")), schema, "reason")
    writer = ShardWriter(transform, fitted(Preparation(), [column]), target)
    checked.where("reason is null").select("image", "path").mapInArrow(writer, SHARD_REPORT).collect()


def whole(spark: Any, folder: str, target: str) -> None:
    """The whole step: also checks, statistics, the profile's page and a shuffle, which theirs goes without."""
    from emberline.pipelines.etl import etl
    from emberline.pipelines.recipes import load_recipe

    etl(spark, load_recipe("imagenet_mobilenet"), folder, f"{target}/version")


def _example(path: str, pixels: bytes) -> bytes:
    import tensorflow as tf

    def feature(value: bytes) -> Any:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    features = {"path": feature(path.encode()), "image": feature(pixels)}
    return bytes(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())


def _by_pillow(row: Any) -> bytes:
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(row.content))).convert("RGB")
    fitted = ImageOps.fit(picture, (SIDE, SIDE), Image.Resampling.BILINEAR)
    return _example(row.path, fitted.tobytes())


def _writer(target: str) -> Callable[[int, Iterator[bytes]], Iterator[int]]:
    def write(index: int, records: Iterator[bytes]) -> Iterator[int]:
        import tensorflow as tf

        with tf.io.TFRecordWriter(os.path.join(target, f"part-{index:05d}.tfrecord")) as writer:
            yield sum(1 for record in records if writer.write(record) is None)

    return write


def by_pillow(spark: Any, folder: str, target: str) -> None:
    """What everybody writes first."""
    read_files(spark, folder).rdd.map(_by_pillow).mapPartitionsWithIndex(_writer(target)).sum()


def by_tf_data(folder: str, target: str) -> None:
    """One process without Spark."""
    import tensorflow as tf

    def fitted(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        image = tf.io.decode_jpeg(tf.io.read_file(path), 3)
        size = tf.cast(tf.shape(image)[:2], tf.float32)
        scaled = tf.cast(tf.math.ceil(size * SIDE / tf.reduce_min(size)), tf.int32)
        image = tf.image.resize_with_crop_or_pad(tf.image.resize(image, scaled, antialias=True), SIDE, SIDE)
        return path, tf.io.serialize_tensor(tf.saturate_cast(tf.round(image), tf.uint8))

    files = tf.data.Dataset.from_tensor_slices([str(path) for path in sorted(Path(folder).rglob("*.jpg"))])
    with tf.io.TFRecordWriter(os.path.join(target, "all.tfrecord")) as writer:
        for path, pixels in files.map(fitted, num_parallel_calls=2).prefetch(8).as_numpy_iterator():
            writer.write(_example(path.decode(), pixels))


def measure(size: Size) -> dict[str, Comparison]:
    """Images per second of both sides."""
    files, repeats = size.of((FILES, 3), (QUICK_FILES, 2), (24, 1))
    with tempfile.TemporaryDirectory() as work, session("images", "local[2]") as spark:
        made = write_photographs(f"{work}/files", files)
        found: dict[str, Comparison] = {}

        def rate(count: int, write: Callable[[str], None]) -> float:
            target = tempfile.mkdtemp(dir=work)
            took = seconds(lambda: write(target))
            shutil.rmtree(target)
            return count / took

        for _ in range(WARMING):
            rate(1, lambda target: ours(spark, f"{work}/files/{SIZES[0][0]} × {SIZES[0][1]}", target))
        for name in (MIXTURE, *(f"{width} × {height}" for width, height in SIZES)):
            folder, count = f"{work}/files/{name}", made[name]

            def mine(folder: str = folder, count: int = count) -> float:
                return rate(count, lambda target: ours(spark, folder, target))

            def pillow(folder: str = folder, count: int = count) -> float:
                return rate(count, lambda target: by_pillow(spark, folder, target))

            def everything(folder: str = folder, count: int = count) -> float:
                return rate(count, lambda target: whole(spark, folder, target))

            def plain(folder: str = folder, count: int = count) -> float:
                return rate(count, lambda target: by_tf_data(folder, target))

            found[f"Pillow in rdd.map, {name}"] = compare(mine, pillow, repeats=repeats, unit="images/s")
            if name == MIXTURE:
                found[f"{WHOLE}, {name}"] = compare(everything, pillow, repeats=repeats, unit="images/s")
                found[f"tf.data alone, {name}"] = compare(mine, plain, repeats=repeats, unit="images/s")
    return found


def main() -> None:
    """Prints the table and one JSON line."""
    parser = sized_parser(__doc__, f"{QUICK_FILES} files instead of {FILES}")
    size: Size = parser.parse_args().size
    found = measure(size)
    print_table(found)
    ratios = {
        "etl_vs_pillow": found[f"Pillow in rdd.map, {MIXTURE}"].ratios,
        "whole_etl_vs_pillow": found[f"{WHOLE}, {MIXTURE}"].ratios,
        "etl_vs_tf_data": found[f"tf.data alone, {MIXTURE}"].ratios,
    }
    print_json("images", ratios, size)


if __name__ == "__main__":
    main()
