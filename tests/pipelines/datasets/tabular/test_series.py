"""The reader of series: windows, what follows them, and lines that are no numbers."""

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.tabular import sine
from emberline.pipelines.datasets.tabular.series import Series


def test_windows_and_what_follows(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "demand_train.csv").write_text("".join(f"{number}\n" for number in range(8)))
    (tmp_path / "demand_test.csv").write_text("8\n9\nten\n11\n12\n13\n14\n")
    dataset = Series("demand", window=3)
    rows = check_rows(dataset.read(spark, str(tmp_path), "train"), dataset.schema, labelled=True).collect()
    assert sorted((row["row"], row["values"], row["next"]) for row in rows) == [
        (f"demand_train.csv-{last:07d}", [float(last - 3), float(last - 2), float(last - 1)], float(last))
        for last in range(3, 8)
    ]
    rows = check_rows(dataset.read(spark, str(tmp_path), "eval"), dataset.schema, labelled=True).collect()
    assert {row["row"][-1]: row["reason"] for row in rows} == {
        **dict.fromkeys("345", "1 of its 4 lines are no numbers"),
        "6": None,
    }
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "some.csv").write_text("1\n")
    with pytest.raises(BadInputError, match=r"holds no other_train\.csv"):
        Series("other", 3).read(spark, str(tmp_path / "other"), "train")


def test_the_sine_function_goes_on_where_training_ends(tmp_path: Path) -> None:
    sine.DATASET.generate(str(tmp_path), seed=1)
    train, test = (np.loadtxt(tmp_path / f"sine_{split}.csv") for split in ("train", "test"))
    assert (len(train), len(test)) == (10_010, 1_010)
    np.testing.assert_allclose(train, np.sin(np.linspace(0, 100.1, 10_010)), atol=1e-8)
    np.testing.assert_allclose(test, np.sin(np.linspace(100.1, 110.2, 1_010)), atol=1e-8)
