"""The reader of house prices, and the city that is generated for it."""

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.tabular import houses
from emberline.pipelines.datasets.tabular.houses import DATASET, SCHEMA
from emberline.pipelines.recipes.tabular.houses_crossed import LATITUDE, LONGITUDE


def test_rows_are_numbers_and_wrong_ones_have_a_reason(spark: SparkSession, tmp_path: Path) -> None:
    lines = ["latitude,longitude,price", "33.7,-84.4,250.5", "33.7,-84.4,cheap", "33.7,-84.4,-1", "33.7,-84.4,", "33.7"]
    (tmp_path / "houses_train.csv").write_text("\n".join(lines) + "\n")
    checked = check_rows(DATASET.read(spark, str(tmp_path), "train"), SCHEMA, labelled=True).collect()
    assert [row["price"] for row in checked if row["reason"] is None] == [250.5]
    assert [row["reason"] for row in checked if row["reason"]] == [
        "price: 'cheap' is not a number",
        "price: '-1' is below 0",
        "price: no value, and one is required",
        "expected 3 comma-separated fields, got 1",
    ]
    assert check_rows(DATASET.read(spark, str(tmp_path)), SCHEMA, labelled=False).where("reason is null").count() == 4


def test_the_best_score_is_that_of_the_mean_of_each_cell(tmp_path: Path) -> None:
    """Computed from the files alone: the means of the training file predict almost as well as the true levels."""
    best = DATASET.generate(str(tmp_path), seed=2)
    assert DATASET.synthetic(str(tmp_path)) == best
    train, held = (np.loadtxt(tmp_path / name, delimiter=",", skiprows=1) for name in houses.FILES.values())

    def cells(table: np.ndarray) -> np.ndarray:
        rows, columns = (
            np.searchsorted(column.boundaries, table[:, index], side="right")
            for index, column in enumerate((LATITUDE, LONGITUDE))
        )
        return rows * houses.CELLS + columns

    found = cells(train)
    # A few cells are so unpopular that nobody lives there. Boundaries beside the grid's would make far more cells.
    assert 0.98 * houses.SETTLED < len(np.unique(found)) <= houses.SETTLED
    totals = np.bincount(found, train[:, 2], minlength=10_000), np.bincount(found, minlength=10_000)
    means = totals[0] / np.maximum(totals[1], 1)
    rmse = float(np.sqrt(np.mean((means[cells(held)] - held[:, 2]) ** 2)))
    assert best.best["rmse"] < rmse < best.best["rmse"] * 1.05
    assert best.best["rmse"] == pytest.approx(houses.NOISE, rel=0.03)


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        DATASET.generate(str(tmp_path / name), seed=5)
    for name in houses.FILES.values():
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
