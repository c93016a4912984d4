"""Times of 96 bits in Parquet files, as Spark writes them by default, wherever we open one."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emberline.features.parquet import open_parquet
from emberline.pipelines.program.context import _between

LATE = dt.datetime(9999, 12, 31, 23, 59, 58, 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    table = pa.table({"at": pa.array([LATE, None], pa.timestamp("us")), "text": ["a", "a"]})
    pq.write_table(table, tmp_path / "rows.parquet", use_deprecated_int96_timestamps=True)
    return tmp_path / "rows.parquet"


def test_they_reach_every_year(file: Path) -> None:
    with file.open("rb") as stream:
        opened = open_parquet(stream, ["text"])
        assert opened.read()["at"].to_pylist() == [LATE, None]
        assert pa.types.is_dictionary(opened.schema_arrow.field("text").type)


def test_programs_get_them_too(file: Path) -> None:
    (batch,) = _between(str(file), 0, 1)
    assert batch["at"].to_pylist() == [LATE]
