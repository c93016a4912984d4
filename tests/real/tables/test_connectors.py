"""Delta Lake and Iceberg by Spark's own connectors, with the newest Spark that both are published for.

Deletion vectors, renamed columns and added ones by the connectors themselves are then read without them, too.
"""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from emberline.pipelines.datasets.readers.tables.versioned.packages import (
    DELTA_EXTENSION,
    DELTA_PACKAGES,
    ICEBERG_PACKAGES,
)
from tests.real.tables.conftest import Job, run

SPARK = "4.1.1"
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "emberline-tests" / f"pyspark-{SPARK}"

SQL = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").getOrCreate()
for statement in sys.argv[1:]:
    spark.sql(statement)
"""

OWN = "row, sepal_length, sepal_width, petal_length, petal_width, species, split"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user writes into spark-defaults.conf."""
    folder = tmp_path_factory.mktemp("settings")
    minor = SPARK.rpartition(".")[0]
    packages = [one[minor].format(scala="2.13") for one in (DELTA_PACKAGES, ICEBERG_PACKAGES)]
    lines = {
        "spark.jars.packages": ",".join(packages),
        "spark.sql.extensions": DELTA_EXTENSION,
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "hadoop",
        "spark.sql.catalog.lake.warehouse": f"file://{folder}/iceberg",
    }
    (folder / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    return folder


@pytest.fixture(scope="module")
def older() -> dict[str, str]:
    """Environment in which Python has the older Spark."""
    if not (CACHE / "pyspark").exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(CACHE), f"pyspark=={SPARK}"]
        subprocess.run(pip, check=True, timeout=1200)
    return {"PYTHONPATH": str(CACHE)}


@pytest.fixture(scope="module")
def made(settings: Path, older: dict[str, str], parquet: Path) -> Path:
    """Tables of both, whose first version has the flowers; later ones have other rows and columns."""
    delta, columns = f"delta.`{settings}/flowers`", OWN.replace("row,", "").replace("sepal_width", "width")
    done = run(
        [
            "-c", SQL,
            f"CREATE TABLE {delta} USING delta TBLPROPERTIES ('delta.enableDeletionVectors'='true', "
            f"'delta.columnMapping.mode'='name') AS SELECT {OWN} FROM parquet.`{parquet}`",
            f"DELETE FROM {delta} WHERE species = '2'",
            f"ALTER TABLE {delta} RENAME COLUMN sepal_width TO width",
            f"ALTER TABLE {delta} ADD COLUMN colour string",
            f"CREATE TABLE lake.shop.flowers USING iceberg TBLPROPERTIES ('format-version'='3', "
            f"'write.delete.mode'='merge-on-read') AS SELECT {OWN} FROM parquet.`{parquet}`",
            "DELETE FROM lake.shop.flowers WHERE species = '2'",
            "ALTER TABLE lake.shop.flowers RENAME COLUMN sepal_width TO width",
            f"INSERT INTO lake.shop.flowers SELECT 'x', {columns} FROM lake.shop.flowers LIMIT 1",
        ],
        settings, older,
    )  # fmt: skip
    assert done.code == 0, done.lines[-3000:]
    return settings


def etl(settings: Path, folder: Path, environment: dict[str, str], *source: str) -> Job:
    return run(
        ["-m", "emberline", "etl", "--pipeline", "iris_dnn", *source, "--output", f"{folder}/dataset", "--overwrite",
         "--master", "local[2]"],
        settings, {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", **environment},
    )  # fmt: skip


def test_delta_lake_by_its_connector_gives_the_version_asked_for(
    made: Path, older: dict[str, str], flowers: Path, tmp_path: Path
) -> None:
    files = etl(made, tmp_path, older, "--input", str(flowers))
    assert files.code == 0, files.lines[-3000:]
    first = etl(made, tmp_path, older, "--input", f"delta:{made}/flowers@v0")
    assert first.code == 0, first.lines[-3000:]
    assert first.result["digest"] == files.result["digest"]
    newest = etl(made, tmp_path, older, "--input", f"delta:{made}/flowers")
    assert newest.code == 2
    assert "sepal_width" in newest.result["reason"], "the column has another name now"


def test_iceberg_by_its_connector_gives_the_newest_snapshot(made: Path, older: dict[str, str], tmp_path: Path) -> None:
    newest = etl(made, tmp_path, older, "--table", "lake.shop.flowers")
    assert newest.code == 2, newest.lines[-3000:]
    assert "sepal_width" in newest.result["reason"], "the column has another name now"
    assert "table:lake.shop.flowers: version " in newest.lines


def test_delta_rs_reads_what_the_connector_wrote(made: Path, spark, table: pa.Table) -> None:
    """Column mapping and deletion vectors among it, without any jar, with the Spark of this environment."""
    from emberline.pipelines.datasets.readers.tables.table_reader import open_table

    for version, kept in ((0, {"0", "1", "2"}), (1, {"0", "1"})):
        found = open_table(spark, f"delta:file://{made}/flowers@v{version}").rows.toArrow().sort_by("row")
        expected = [row for row in table.sort_by("row").to_pylist() if row["species"] in kept]
        assert found.to_pylist() == expected
    newest = open_table(spark, f"delta:file://{made}/flowers@v3").rows.toArrow()
    assert newest.num_rows == 100
    assert {"width", "colour"} <= set(newest.column_names)
    assert "sepal_width" not in newest.column_names


def test_pyiceberg_reads_what_the_connector_wrote(made: Path, spark, table: pa.Table) -> None:
    from pyiceberg.table import StaticTable

    from emberline.pipelines.datasets.readers.tables.versioned.arrow_stream import stream_table
    from emberline.pipelines.datasets.readers.tables.versioned.iceberg_table import IcebergRows

    newest = sorted(made.glob("iceberg/shop/flowers/metadata/*.metadata.json"), key=lambda path: path.stat().st_mtime)[
        -1
    ]
    snapshots = [one.snapshot_id for one in StaticTable.from_metadata(str(newest)).snapshots()]
    for snapshot, kept in zip(snapshots, ({"0", "1", "2"}, {"0", "1"}), strict=False):
        rows = IcebergRows(f"file://{newest}", snapshot, 2, {})
        found = stream_table(spark, "flowers", rows.scan().projection().as_arrow(), 2, rows)
        expected = [row for row in table.sort_by("row").to_pylist() if row["species"] in kept]
        assert found.rows.toArrow().sort_by("row").to_pylist() == expected


@pytest.mark.parametrize(("source", "package"), [("--table=lake.shop.flowers", "Iceberg"), ("--table=shop.t", "Delta")])
def test_a_spark_that_nothing_is_published_for_says_what_to_do(
    made: Path, tmp_path: Path, source: str, package: str
) -> None:
    """The Spark of this environment, with packages that were made for the older one."""
    done = etl(made, tmp_path, {}, source)
    assert done.code == 2, done.lines[-3000:]
    if package == "Iceberg":
        assert "No published Iceberg works with Spark 4.3" in done.result["reason"]
        assert "emberline[iceberg]" in done.result["reason"]
