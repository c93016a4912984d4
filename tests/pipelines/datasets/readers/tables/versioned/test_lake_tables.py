"""Delta and Iceberg without a jar: delta-rs and PyIceberg write tables, and readers give the rows of one version."""

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.table_reader import open_table
from emberline.pipelines.datasets.readers.tables.versioned.version import pinned

deltalake = pytest.importorskip("deltalake")
pytest.importorskip("pyiceberg")

FIRST = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "name": ["Ulm", None, "Köln"],
        "at": pa.array([dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)] * 3, pa.timestamp("us", "UTC")),
        "day": pa.array([dt.date(2026, 1, 1), dt.date(2026, 1, 2), None]),
        "price": pa.array([Decimal("1.50"), None, Decimal("2.00")], pa.decimal128(10, 2)),
        "tags": pa.array([["a", "b"], [], None], pa.list_(pa.string())),
        "place": pa.array([{"x": 1.5}, {"x": None}, None], pa.struct([("x", pa.float64())])),
    }
)
READ = [
    {
        **{name: row[name] for name in ("id", "name", "at", "day", "price", "tags")},
        "place.x": (row["place"] or {}).get("x"),
    }
    for row in FIRST.to_pylist()
]


def rows(spark: SparkSession, address: str) -> list[dict[str, object]]:
    """The rows of a table by `id`, as Python has them."""
    table = open_table(spark, address)
    return table.rows.toArrow().sort_by("id").to_pylist()


@pytest.fixture
def delta(tmp_path: Path) -> str:
    deltalake.write_deltalake(str(tmp_path / "lake"), FIRST, partition_by=["day"])
    return f"delta:file://{tmp_path}/lake"


def test_a_delta_table_gives_the_rows_of_the_version_that_a_run_began_with(spark: SparkSession, delta: str) -> None:
    begun = pinned(spark, delta)
    assert begun == f"{delta}@v0"
    folder = delta.removeprefix("delta:file://")
    deltalake.DeltaTable(folder).delete("id = 2")
    more = pa.table({"id": pa.array([4], pa.int32()), "new": [True]})
    deltalake.write_deltalake(folder, more, mode="append", schema_mode="merge")
    assert rows(spark, begun) == READ
    assert pinned(spark, begun) == begun
    assert pinned(spark, delta) == f"{delta}@v2"
    newest = rows(spark, f"{delta}@v2")
    assert [row["id"] for row in newest] == [1, 3, 4]
    assert [row["new"] for row in newest] == [None, None, True]
    assert newest[2]["place.x"] is None


def test_plain_files_below_a_delta_table_are_refused_and_the_address_is_told(spark: SparkSession, delta: str) -> None:
    """Rows of deleted versions would be among them."""
    folder = delta.removeprefix("delta:")
    for above in (folder, folder.rpartition("/")[0]):
        with pytest.raises(BadInputError, match=rf"Delta Lake: read as plain files.*Give --input delta:{folder}"):
            open_table(spark, above)


def test_a_version_or_a_table_that_is_not_there_is_said(spark: SparkSession, delta: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"@v7 cannot be read by delta-rs: .*version"):
        open_table(spark, f"{delta}@v7")
    with pytest.raises(BadInputError, match=r"nothing cannot be read by delta-rs: .*Give the folder of a Delta table"):
        pinned(spark, f"delta:file://{tmp_path}/nothing")
    with pytest.raises(BadInputError, match="leave out --input-format and --option"):
        open_table(spark, f"{delta}@v0", TableFormat("csv"))


def test_a_feature_that_nobody_knows_is_refused(spark: SparkSession, delta: str) -> None:
    log = Path(delta.removeprefix("delta:file://")) / "_delta_log" / "00000000000000000001.json"
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": ["tomorrow"],
        "writerFeatures": ["tomorrow"],
    }
    log.write_text(json.dumps({"protocol": protocol}))
    with pytest.raises(BadInputError, match="'tomorrow' is not supported"):
        pinned(spark, delta)


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    from pyiceberg.catalog import load_catalog
    from pyiceberg.utils.config import Config

    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", f"sqlite:///{tmp_path}/catalog.db")
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__WAREHOUSE", f"file://{tmp_path}/warehouse")
    monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())  # it looks at variables once, when it is imported
    made = load_catalog(
        "lake", type="sql", uri=f"sqlite:///{tmp_path}/catalog.db", warehouse=f"file://{tmp_path}/warehouse"
    )
    made.create_namespace("shop")
    yield made
    made.close()


def test_an_iceberg_table_gives_the_rows_of_the_snapshot_that_a_run_began_with(spark: SparkSession, catalog) -> None:
    table = catalog.create_table("shop.orders", FIRST.schema)
    with pytest.raises(BadInputError, match="no snapshot: nothing was ever written"):
        pinned(spark, "iceberg:lake.shop.orders")
    table.append(FIRST.slice(0, 1))
    table.append(FIRST.slice(1))
    begun = pinned(spark, "iceberg:lake.shop.orders")
    assert begun == f"iceberg:lake.shop.orders@v{table.current_snapshot().snapshot_id}"
    with table.update_schema() as update:  # a name that moves to another column
        update.rename_column("name", "town")
    with table.update_schema() as update:
        from pyiceberg.types import DoubleType

        update.add_column("name", DoubleType())
    table.delete("id = 2")
    assert rows(spark, begun) == READ
    newest = rows(spark, pinned(spark, "iceberg:lake.shop.orders"))
    assert [(row["id"], row["town"], row["name"]) for row in newest] == [(1, "Ulm", None), (3, "Köln", None)]


def test_an_iceberg_table_or_snapshot_that_is_not_there_is_said(spark: SparkSession, catalog, tmp_path: Path) -> None:
    catalog.create_table("shop.orders", FIRST.schema).append(FIRST)
    with pytest.raises(BadInputError, match=r"has no snapshot 7, or keeps it no longer\. It has \d+"):
        open_table(spark, "iceberg:lake.shop.orders@v7")
    with pytest.raises(BadInputError, match=r"shop\.others.*Expected iceberg:CATALOG\.NAMESPACE\.TABLE"):
        pinned(spark, "iceberg:lake.shop.others")
    with pytest.raises(BadInputError, match=r"nowhere.*PYICEBERG_CATALOG__NOWHERE__URI"):
        pinned(spark, "iceberg:nowhere.shop.orders")
    with pytest.raises(BadInputError, match="Iceberg: read as plain files"):
        open_table(spark, f"file://{tmp_path}/warehouse")
