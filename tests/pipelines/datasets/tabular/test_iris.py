"""The iris reader on the official format and on generated files."""

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets.tabular.iris import DATASET, SCHEMA, parse, write_table

OFFICIAL = "120,4,setosa,versicolor,virginica\n6.4,2.8,5.6,2.2,2\n5.0,2.3,3.3,1.0,1\n4.9,3.1,1.5,0.1,0\n"


def test_the_official_format_is_read(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "iris_training.csv").write_text(OFFICIAL)
    (tmp_path / "iris_test.csv").write_text(OFFICIAL.replace("120", "30"))
    checked = check_rows(DATASET.read(spark, str(tmp_path), "train"), SCHEMA, labelled=True)
    found = [(row["petal_width"], row["species"], row["reason"]) for row in checked.collect()]
    assert found == [(2.2, 2.0, None), (1.0, 1.0, None), (0.1, 0.0, None)]
    assert DATASET.read(spark, str(tmp_path)).count() == 6
    assert DATASET.synthetic(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("line", "rows", "reason"),
    [
        ("30,4,setosa,versicolor,virginica", 0, None),
        ("  ", 0, None),
        ("5.1,3.3,1.7,0.5,virginica", 1, None),
        ("5.1,3.3,1.7,0.5", 1, "species: no value, and one is required"),
        ("5.1,3.3,1.7,0.5,3", 1, "species: '3' is not one of 'setosa', '0', 'versicolor', '1', 'virginica', '2'"),
        ("5.1,,1.7,0.5,0", 1, "sepal_width: no value, and one is required"),
        ("5.1,3.3,1.7", 1, "expected 5 comma-separated fields, got 3"),
        ("5.1,wide,1.7,0.5,0", 1, "sepal_width: 'wide' is not a number"),
    ],
)
def test_a_line(spark: SparkSession, line: str, rows: int, reason: str | None) -> None:
    checked = check_rows(
        parse(spark.createDataFrame([(line, "f")], "_raw string, _source string")), SCHEMA, labelled=True
    )
    assert [row["reason"] for row in checked.collect()] == [reason] * rows


def test_generated_files_have_the_official_format_and_a_known_best_score(spark: SparkSession, tmp_path: Path) -> None:
    best = DATASET.generate(str(tmp_path), seed=3)
    assert DATASET.synthetic(str(tmp_path)) == best
    assert 0.9 < best.best["accuracy"] < 1
    for split in ("train", "eval"):
        checked = check_rows(DATASET.read(spark, str(tmp_path), split), SCHEMA, labelled=True)
        found = checked.groupBy("species").count().collect()
        assert {row["species"]: row["count"] for row in found} == {0.0: 400, 1.0: 400, 2.0: 400}
        assert checked.where("reason is not null").count() == 0


def test_the_best_score_is_that_of_gaussian_discriminant_analysis(tmp_path: Path) -> None:
    """Another road to the same posterior: scikit-learn's, fitted to many flowers of the same distribution."""
    from sklearn.naive_bayes import GaussianNB

    best = DATASET.generate(str(tmp_path), seed=3)
    DATASET.generate(str(tmp_path / "other"), seed=4)
    tables = [np.loadtxt(path, delimiter=",", skiprows=1) for path in (tmp_path / "other").glob("*.csv")]
    many, held = np.concatenate(tables), np.loadtxt(tmp_path / "iris_test.csv", delimiter=",", skiprows=1)
    fitted = GaussianNB().fit(many[:, :4], many[:, 4])
    assert fitted.score(held[:, :4], held[:, 4]) == pytest.approx(best.best["accuracy"], abs=0.005)


def test_a_table_is_written_in_the_official_format(tmp_path: Path) -> None:
    write_table(str(tmp_path), "train", np.array([[6.4, 2.8, 5.6, 2.2], [5.0, 2.3, 3.3, 1.0]]), np.array([2, 1]))
    written = (tmp_path / "iris_training.csv").read_text()
    assert written == "2,4,setosa,versicolor,virginica\n6.4,2.8,5.6,2.2,2\n5,2.3,3.3,1,1\n"
