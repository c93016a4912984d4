"""Files of images through the ETL: pixels in shards, their statistics, and what is damaged put aside."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Picture
from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.columns import Column, Image
from emberline.features.dataset_version import open_version
from emberline.features.tensors import stored_tensor
from emberline.features.tfrecord.layouts import read_shard
from emberline.features.validation.expectations import Expectations
from emberline.pipelines.datasets.readers.image_folder import ImageFolder
from emberline.pipelines.etl import etl
from emberline.pipelines.preparation import checked_data
from emberline.pipelines.preparation.shard_writer import BLOCK_BYTES, fitted
from emberline.pipelines.recipe import Optimizer, Preparation, Recipe, Training

COLOURS = {"cat": (250, 120, 10), "dog": (10, 60, 200)}
LARGE = Image("image", 224, 224)


@dataclass(frozen=True)
class Network:
    """What a recipe asks of one; the ETL builds none."""

    image: Image
    outputs: int = 1

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def recipe(image: Image, **changes: object) -> Recipe:
    training = Training((Optimizer("sgd", learning_rate=0.1),), epochs=1, global_batch=2)
    return Recipe("pets", "", "pets", Network(image), training, Preparation(shards=3), **changes)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pets")
    for split, count in (("train", 20), ("test", 8)):
        for kind, colour in COLOURS.items():
            (found / split / kind).mkdir(parents=True)
            for index in range(count):
                form = ("JPEG", "PNG")[index % 2]
                sink = io.BytesIO()
                Picture.new("RGB", (50 + index, 40), colour).save(sink, form)
                (found / split / kind / f"{index}.{form.lower()}").write_bytes(sink.getvalue())
    (found / "train" / "cat" / "damaged.png").write_bytes(b"no picture")
    return found


@pytest.fixture(scope="module")
def version(spark: SparkSession, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    output = f"file://{tmp_path_factory.mktemp('etl')}/version"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checked_data, "load_dataset", lambda _: ImageFolder("pets", tuple(COLOURS)))
        accepted = Expectations(rejected=0.5)
        found = etl(spark, recipe(Image("image", 32, 24), expectations=accepted), f"file://{folder}", output)
    assert (found.rows_read, found.rows_rejected, found.records) == (57, 1, {"train": 40, "eval": 16})
    assert found.reasons == {"image: is not an image that can be read: it is no JPEG, PNG, GIF, BMP or WebP file": 1}
    return output


def test_shards_hold_the_pixels_a_byte_each(version: str) -> None:
    opened = open_version(version)
    keys = set()
    for split, count in (("train", 20), ("eval", 8)):
        shards = opened.split(split)
        assert str(shards.schema.field("image").type) == "fixed_size_list<item: uint8>[2304]"
        for shard in shards.shards:
            assert shard.bytes < shard.rows * (2304 + 100) + 1000
            for rows in read_shard(storage.join(version, split), shards, shard):
                pixels = rows.column("image").flatten().to_numpy().reshape(-1, 32, 24, 3)
                for image, label, key in zip(
                    pixels, *(rows.column(n).to_pylist() for n in ("label", "path")), strict=True
                ):
                    colour = COLOURS[key.split("/")[1]]
                    assert label == list(COLOURS).index(key.split("/")[1])
                    assert np.abs(image.reshape(-1, 3).astype(int) - colour).max() <= 3
                    keys.add(key)
        assert shards.rows == 2 * count
    assert len(keys) == 56


def test_stored_as_files_they_are_the_same_and_smaller(
    spark: SparkSession, folder: Path, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checked_data, "load_dataset", lambda _: ImageFolder("pets", tuple(COLOURS)))
    wanted = recipe(Image("image", 32, 24, stored_as="png"), expectations=Expectations(rejected=0.5))
    output = f"file://{tmp_path}/version"
    etl(spark, wanted, f"file://{folder}", output)
    assert str(open_version(output).split("train").schema.field("image").type) == "binary"
    pixels, files = (_pictures(uri) for uri in (version, output))
    assert pixels.keys() == files.keys()
    for key, picture in pixels.items():
        np.testing.assert_array_equal(picture, files[key])
    sizes = [sum(shard.bytes for shard in open_version(uri).split("train").shards) for uri in (version, output)]
    assert sizes[1] < sizes[0] / 4  # of one colour each


def test_shards_of_unequal_files_are_about_as_large_as_each_other(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the photographs are of one colour, a sixth of the bytes of the others; rows are dealt by their key.

    A shard of n rows is expected to be off by sqrt((1 + v²) / n) of its size, v the deviation of a row's bytes in parts
    of their mean: here 0.12. Among three, the largest then has up to 1.25 times the mean in 99 of 100 dealings.
    """
    draw = np.random.default_rng(3)
    for split, count in (("train", 330), ("test", 6)):
        for index in range(count):
            kind = list(COLOURS)[index % 2]
            path = tmp_path / "raw" / split / kind / f"{index}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            size = (int(draw.integers(64, 120)), int(draw.integers(64, 120)))
            flat = Picture.new("RGB", size, COLOURS[kind])
            noise = Picture.fromarray(draw.integers(0, 256, (*size, 3), dtype=np.uint8))
            (noise if kind == "dog" else flat).save(path, quality=95)
    monkeypatch.setattr(checked_data, "load_dataset", lambda _: ImageFolder("pets", tuple(COLOURS)))
    output = f"file://{tmp_path}/version"
    etl(spark, recipe(Image("image", 64, 64, stored_as="jpeg")), f"file://{tmp_path}/raw", output)
    shards = open_version(output).split("train")
    rows = [
        len(picture.as_py())
        for shard in shards.shards
        for batch in read_shard(storage.join(output, "train"), shards, shard)
        for picture in batch.column("image")
    ]
    assert len(rows) == 330
    assert np.percentile(rows, 75) > 6 * np.percentile(rows, 25)
    sizes = np.array([shard.bytes for shard in shards.shards])
    spread = sizes / sizes.mean()
    deviation = np.sqrt((1 + np.var(rows) / np.mean(rows) ** 2) / 110)
    print(
        f"{len(sizes)} shards, bytes {spread.min():.2f} to {spread.max():.2f} of the mean; expected ± {deviation:.2f}"
    )
    assert len(sizes) == 3
    assert 0.75 < spread.min() < spread.max() < 1.25


def _pictures(uri: str) -> dict[str, np.ndarray]:
    shards = open_version(uri).split("train")
    found = {}
    for shard in shards.shards:
        for rows in read_shard(storage.join(uri, "train"), shards, shard):
            pictures = stored_tensor(rows.column("image"), (32, 24, 3)).numpy()
            found |= dict(zip(rows.column("path").to_pylist(), pictures, strict=True))
    return found


def test_statistics_and_the_page_tell_sizes_and_channels(version: str) -> None:
    facts = open_version(version).statistics.of("image").image
    assert facts is not None
    assert facts.heights == (40, 40, 40)
    assert facts.widths == (50, 59.5, 69)
    means = np.mean(list(COLOURS.values()), axis=0) / 255
    np.testing.assert_allclose(facts.means, means, atol=0.01)
    page = storage.read_text(storage.join(version, "profile.html"))
    assert "mean size 59.5 × 40" in page
    assert "mean of each channel" in page


def test_the_damaged_file_is_kept_with_its_reason(version: str) -> None:
    kept = pq.read_table(storage.local_path(storage.join(version, "rejected"))).to_pylist()
    assert [row["split"] for row in kept] == ["train"]
    assert kept[0]["raw"].endswith("train/cat/damaged.png")


def test_blocks_of_images_are_bounded_by_their_bytes() -> None:
    assert fitted(Preparation(), [LARGE]).rows_per_block == BLOCK_BYTES // (224 * 224 * 3)
    assert fitted(Preparation(), [Image("image", 28, 28, 1)]).rows_per_block == Preparation().rows_per_block
    assert fitted(Preparation(rows_per_block=3), [LARGE]).rows_per_block == 3
    assert fitted(Preparation(), [Image("image", 4000, 4000)]).rows_per_block == 1
