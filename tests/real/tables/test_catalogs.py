"""Hive's metastore (Derby) and PostgreSQL by JDBC: `--table` gives what the official files give."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from emberline.pipelines.datasets.readers.tables.versioned.packages import POSTGRESQL_PACKAGE
from tests.real.tables.conftest import Job, run

SQL = """
import sys
from pyspark.sql import SparkSession
spark = SparkSession.builder.master("local[1]").enableHiveSupport().getOrCreate()
for statement in sys.argv[1:]:
    spark.sql(statement)
"""


def postgresql_programs() -> Path:
    """Debian keeps them by version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("there is no PostgreSQL: install Debian's package postgresql")
    return found[-1].parent


@pytest.fixture(scope="module")
def database(table: pa.Table) -> Iterator[int]:
    """A server on loopback with the flowers in shop.flowers; the port."""
    programs = postgresql_programs()
    folder = Path(tempfile.mkdtemp(prefix="emberline-pg-"))
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def command(*words: str, text: str | None = None) -> None:
        subprocess.run([*user, *words], input=text, text=True, check=True, capture_output=True, cwd="/", timeout=300)

    command(str(programs / "initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "reader")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
    command(str(programs / "pg_ctl"), "-D", f"{folder}/data", "-o", options, "-w", "-l", f"{folder}/log", "start")
    try:
        values = ",".join(str(tuple(row[name] for name in table.column_names)) for row in table.to_pylist())
        names = [f"{name} double precision" if "_" in name else f"{name} text" for name in table.column_names]
        sql = (
            f"CREATE SCHEMA shop; CREATE TABLE shop.flowers ({', '.join(names)}, notes jsonb, id uuid, days int4range);"
        )
        own = ", ".join(table.column_names)
        sql += f"INSERT INTO shop.flowers ({own}) VALUES {values};"
        command(
            str(programs / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "reader", "-v", "ON_ERROR_STOP=1",
            "postgres", text=sql,
        )  # fmt: skip
        yield port
    finally:
        command(str(programs / "pg_ctl"), "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def settings(database: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user writes into spark-defaults.conf."""
    folder = tmp_path_factory.mktemp("settings")
    lines = {
        "spark.jars.packages": POSTGRESQL_PACKAGE,
        "spark.sql.catalogImplementation": "hive",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={folder}/metastore;create=true",
        "spark.sql.catalog.pg": "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog",
        "spark.sql.catalog.pg.url": f"jdbc:postgresql://127.0.0.1:{database}/postgres",
        "spark.sql.catalog.pg.driver": "org.postgresql.Driver",
        "spark.sql.catalog.pg.user": "reader",
    }
    (folder / "spark-defaults.conf").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
    return folder


@pytest.fixture(scope="module")
def hive(settings: Path, parquet: Path) -> Path:
    """A partitioned table shop.flowers in the metastore, to which a column was added later, and a view of it."""
    own = "row, sepal_length, sepal_width, petal_length, petal_width, species"
    done = run(
        [
            "-c", SQL, "CREATE DATABASE shop",
            f"CREATE TABLE shop.flowers USING orc PARTITIONED BY (split) AS SELECT {own}, split "
            f"FROM parquet.`{parquet}` WHERE sepal_length < 6",
            "ALTER TABLE shop.flowers ADD COLUMNS (colour string)",
            f"INSERT INTO shop.flowers SELECT {own}, 'blue', split FROM parquet.`{parquet}` WHERE sepal_length >= 6",
            "CREATE VIEW shop.some AS SELECT * FROM shop.flowers",
        ],
        settings, {},
    )  # fmt: skip
    assert done.code == 0, done.lines[-3000:]
    return settings


def emberline(settings: Path, folder: Path, *arguments: str) -> Job:
    return run(
        ["-m", "emberline", *arguments, "--master", "local[2]"], settings,
        {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"},
    )  # fmt: skip


def etl(settings: Path, folder: Path, name: str, *source: str) -> Job:
    return emberline(settings, folder, "etl", "--pipeline", "iris_dnn", *source, "--output", f"{folder}/{name}")


@pytest.fixture(scope="module")
def of_files(settings: Path, flowers: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of the dataset version of the official files."""
    done = etl(settings, tmp_path_factory.mktemp("files"), "dataset", "--input", str(flowers))
    assert done.code == 0, done.lines[-3000:]
    return str(done.result["digest"])


@pytest.mark.parametrize("name", ["shop.flowers", "spark_catalog.shop.some", "pg.shop.flowers"])
def test_a_table_gives_what_the_files_give(hive: Path, of_files: str, tmp_path: Path, name: str) -> None:
    done = etl(hive, tmp_path, "dataset", "--table", name)
    assert done.code == 0, done.lines[-3000:]
    assert done.result["digest"] == of_files
    assert done.lines.count(f"table:{name} has no versions: what is made of it cannot be made again") == 1
    if name.startswith("pg"):
        assert "columns left out" not in done.lines, "PostgreSQL's own types come as texts"


def test_a_schema_is_found_and_data_is_validated(hive: Path, tmp_path: Path) -> None:
    done = emberline(hive, tmp_path, "infer-schema", "--table", "pg.shop.flowers", "--label", "species", "--key", "row")
    assert done.code == 0, done.lines[-3000:]
    assert done.result["rows"] == 150
    done = emberline(
        hive,
        tmp_path,
        "validate",
        "--pipeline",
        "iris_dnn",
        "--table",
        "pg.shop.flowers",
        "--output",
        f"{tmp_path}/report",
    )
    assert done.code == 0, done.lines[-3000:]
    assert done.result["rows_read"] == 150


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("pg.shop.nothing", "no catalog of the session knows it, of "),
        ("lake.shop.flowers", "no catalog of the session knows it, of "),
        ("shop.flowers@v3", "has no versions, got @v3"),
        ("shop..flowers", "is no name of a table. Expected CATALOG.DATABASE.TABLE"),
    ],
)
def test_what_is_not_there_is_said(hive: Path, tmp_path: Path, name: str, says: str) -> None:
    done = etl(hive, tmp_path, "dataset", "--table", name)
    assert done.code == 2, done.lines[-3000:]
    assert says in done.result["reason"]


def test_a_session_without_the_driver_is_told_its_package(settings: Path, hive: Path, tmp_path: Path) -> None:
    lines = (settings / "spark-defaults.conf").read_text().splitlines(keepends=True)
    (tmp_path / "spark-defaults.conf").write_text("".join(line for line in lines if "jars.packages" not in line))
    done = etl(tmp_path, tmp_path, "dataset", "--table", "pg.shop.flowers")
    assert done.code == 2, done.lines[-3000:]
    assert f"--packages {POSTGRESQL_PACKAGE}" in done.result["reason"]


@pytest.fixture(scope="module")
def trained(hive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline from PostgreSQL to a registered model; the folder of its MLflow store."""
    folder = tmp_path_factory.mktemp("trained")
    done = emberline(
        hive, folder, "run", "iris_dnn", "--table", "pg.shop.flowers", "--workspace", f"{folder}/workspace",
        "--set", "training.epochs=1", "--set", "training.workers=1",
    )  # fmt: skip
    assert done.code == 0, done.lines[-3000:]
    assert done.result["rows_scored"] == 150
    return folder


@pytest.mark.parametrize("name", ["pg.shop.scores", "shop.scores"])
def test_predictions_become_a_table_that_is_replaced_when_asked(
    hive: Path, trained: Path, tmp_path: Path, name: str
) -> None:
    def score(*more: str) -> Job:
        return emberline(
            hive, trained, "score", "--pipeline", "iris_dnn", "--model", "models:/emberline-iris_dnn/1", "--table",
            "shop.flowers", "--output", f"{tmp_path}/predictions", "--output-table", name, *more,
        )  # fmt: skip

    done = score()
    assert done.code == 0, done.lines[-3000:]
    refused = emberline(
        hive, trained, "score", "--pipeline", "iris_dnn", "--model", "models:/emberline-iris_dnn/1", "--table",
        "shop.flowers", "--output", f"{tmp_path}/others", "--output-table", name,
    )  # fmt: skip
    assert refused.code == 2
    assert f"The table {name} already exists. Pass --overwrite" in refused.result["reason"]
    again = score("--overwrite")
    assert again.code == 0, again.lines[-3000:]
    counted = run(
        [
            "-c",
            "import json, sys\nfrom pyspark.sql import SparkSession\n"
            "spark = SparkSession.builder.master('local[1]').enableHiveSupport().getOrCreate()\n"
            "rows = spark.table(sys.argv[1])\n"
            "space = sys.argv[1].rpartition('.')[0]\n"
            "print(json.dumps([rows.count(), rows.select('row').distinct().count(), sorted(r.tableName for r in "
            "spark.sql(f'SHOW TABLES IN {space}').collect())]))",
            name,
        ],
        hive, {},
    )  # fmt: skip
    assert counted.code == 0, counted.lines[-3000:]
    rows, keys, names = json.loads(counted.said.splitlines()[-1])
    assert (rows, keys) == (150, 150)
    assert not [other for other in names if other.startswith("scores_")], "nothing is left behind"
    foreign = emberline(
        hive, trained, "score", "--pipeline", "iris_dnn", "--model", "models:/emberline-iris_dnn/1", "--table",
        "shop.flowers", "--output", f"{tmp_path}/others", "--output-table", "pg.shop.flowers", "--overwrite",
    )  # fmt: skip
    assert foreign.code == 2
    assert "is not of predictions" in foreign.result["reason"]
