"""The rows of a dataset version as tables, against the reader that trainings use."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

import emberline as em
from emberline.features.dataset_rows import arrow_rows, read_version
from emberline.features.dataset_version import DatasetVersionError, open_version
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe


def test_spark_reads_every_row_once(spark: SparkSession, flowers: str) -> None:
    version = open_version(flowers)
    rows = read_version(spark, flowers).toPandas()
    assert rows["split"].value_counts().to_dict() == {name: version.split(name).rows for name in ("train", "eval")}
    expected = pd.concat([arrow_rows(version, name).to_pandas() for name in ("train", "eval")])
    order = ["row", "sepal_length", "petal_length"]
    got = rows.drop(columns="split").sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(got, expected.sort_values(order, ignore_index=True), check_dtype=False)
    with pytest.raises(DatasetVersionError, match=r"no split 'test'"):
        read_version(spark, flowers, "test")


def test_tf_data_has_the_same_rows(flowers: str) -> None:
    opened = em.open_dataset(flowers)
    table = opened.to_pandas("eval")
    batches = [(features, label) for features, label in opened.to_tf("eval", batch_size=7)]
    assert [len(label) for _, label in batches] == [7, 7, 7, 7, 2]
    for name in ("sepal_length", "petal_width"):
        np.testing.assert_array_equal(np.concatenate([batch[name] for batch, _ in batches]), table[name])
    np.testing.assert_array_equal(np.concatenate([label for _, label in batches]), table["species"])
    shares = [opened.to_tf(seed=1, batch_size=100, worker=worker, workers=3) for worker in range(3)]
    assert sum(len(label) for share in shares for _, label in share) == opened.splits["train"]
    assert "12,000" in repr(opened)
    assert "<table>" in opened._repr_html_()


def test_pixels_are_bytes(spark: SparkSession, tmp_path: Path) -> None:
    recipe = load_recipe("digits_mlp")
    load_dataset(recipe.dataset).generate(str(tmp_path / "raw"), seed=1)
    made = etl(spark, recipe, str(tmp_path / "raw"), str(tmp_path / "dataset"))
    table = arrow_rows(open_version(made.dataset), "eval").to_pandas().set_index("row")
    rows = read_version(spark, made.dataset, "eval").limit(20).collect()
    assert len(rows) == 20
    for row in rows:
        pixels = next(value for value in row if isinstance(value, bytes | bytearray))
        (expected,) = (value for value in table.loc[row["row"]] if isinstance(value, np.ndarray))
        np.testing.assert_array_equal(np.frombuffer(pixels, np.uint8), expected)
