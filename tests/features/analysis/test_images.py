"""Statistics of images against numpy's."""

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.features.analysis.analyze import analyze
from emberline.features.analysis.sources import StoredRows
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics

SHAPE = (5, 4, 3)
SCHEMA = Schema((Field("photo", "image", shape=SHAPE),), Label("label"), "key")


@pytest.mark.parametrize("stored", [True, False])
def test_sizes_and_channels(spark: SparkSession, tmp_path: Path, stored: bool) -> None:
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, (40, *SHAPE), dtype=np.uint8)
    sizes = generator.integers(1, 900, (40, 2))
    rows = [(bytes(image), [int(side) for side in size]) for image, size in zip(pixels, sizes, strict=True)]
    rows[3:5] = [(None, None)] * 2
    frame = spark.createDataFrame(rows, "photo binary, photo__size array<int>").repartition(3)
    frame.write.parquet(f"{tmp_path}/rows")
    source = StoredRows(spark, f"{tmp_path}/rows") if stored else frame
    found = analyze(source, SCHEMA, str(tmp_path))
    there = np.delete(np.arange(40), [3, 4])
    facts = found.of("photo")
    assert (facts.count, facts.missing) == (38, 2)
    assert facts.image is not None
    np.testing.assert_allclose(facts.image.means, pixels[there].mean(axis=(0, 1, 2)) / 255, atol=1e-6)
    np.testing.assert_allclose(facts.image.deviations, pixels[there].std(axis=(0, 1, 2)) / 255, atol=1e-6)
    for side, seen in enumerate((facts.image.heights, facts.image.widths)):
        known = sizes[there, side]
        assert seen == pytest.approx((known.min(), known.mean(), known.max()))
    assert Statistics.from_json(found.to_json(), str(tmp_path)) == found


def test_sizes_may_be_unknown_and_all_images_missing(spark: SparkSession, tmp_path: Path) -> None:
    bare = spark.createDataFrame([(bytes(60),), (bytes([255] * 60),)], "photo binary")
    facts = analyze(bare, SCHEMA, str(tmp_path)).of("photo").image
    assert facts is not None
    assert (facts.heights, facts.widths, facts.means, facts.deviations) == (None, None, (0.5,) * 3, (0.5,) * 3)
    nothing = analyze(spark.createDataFrame([(None,)], "photo binary"), SCHEMA, str(tmp_path)).of("photo")
    assert (nothing.count, nothing.missing, nothing.image) == (0, 1, None)
