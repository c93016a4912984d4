"""Whatever a table holds, its inferred schema accepts exactly its rows, as pandas and pyarrow read them."""

import datetime as dt
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.orc
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.validation.rows import check_rows, reason_of
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.infer_schema import infer

ROWS = 12
LETTERS = st.characters(codec="utf-8", exclude_characters="\0\r", exclude_categories=("Cs",))
"""Without the carriage return: Python before 3.13 writes it into CSV without quotes, where it ends a record."""
VALUES: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "int8": (pa.int8(), st.integers(-128, 127)),
    "int64": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "uint64": (pa.uint64(), st.integers(0, 2**64 - 1)),
    "float": (pa.float32(), st.floats(width=32, allow_nan=False)),
    "double": (pa.float64(), st.floats(allow_nan=False)),
    "text": (pa.string(), st.text(LETTERS, min_size=1, max_size=5)),
    "code": (pa.string(), st.from_regex(r"\A0?[0-9]{1,3}[DF]?\Z")),
    "flag": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), st.dates(dt.date(1600, 1, 1))),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A key, a label, and columns of any kind, called anything."""
    names = draw(st.lists(st.text(LETTERS, min_size=1, max_size=6).map(str.strip), min_size=1, max_size=4, unique=True))
    columns: dict[str, pa.Array] = {"id": pa.array(range(ROWS)), "label": pa.array(["no", "yes"] * (ROWS // 2))}
    for name in names:
        if name and name not in (*columns, "_raw", "_source", "_fault", "_good", "_reason", "split"):
            kind, values = VALUES[draw(st.sampled_from(sorted(VALUES)))]
            held = draw(st.lists(st.one_of(values, st.none()), min_size=ROWS, max_size=ROWS))
            columns[name] = pa.array(held, kind)
    return pa.table(columns)


def write(table: pa.Table, form: str, folder: Path) -> None:
    path = folder / f"rows.{form}"
    if form == "parquet":
        pq.write_table(table, path)
    elif form == "orc":
        unsigned = [field.name for field in table.schema if field.type == pa.uint64()]
        pyarrow.orc.write_table(table.drop(unsigned), str(path))
    elif form == "json":
        # JSON has neither days nor infinities: Python writes the ones as text, and nothing for the others.
        for column, kind in zip(table.column_names, table.schema.types, strict=True):
            if pa.types.is_floating(kind):
                finite = [
                    value if value is None or math.isfinite(value) else None for value in table[column].to_pylist()
                ]
                table = table.set_column(table.column_names.index(column), column, pa.array(finite, kind))
        path.write_text("".join(json.dumps(row, default=str) + "\n" for row in table.to_pylist()))
    else:
        pd.DataFrame({name: pd.Series(table[name].to_pylist(), dtype=object) for name in table.column_names}).to_csv(
            path, index=False
        )


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(tables(), st.sampled_from(["csv", "parquet", "orc", "json"]))
def test_the_inferred_schema_accepts_exactly_these_rows(spark: SparkSession, table: pa.Table, form: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(table, form, Path(folder))
        found = infer(spark, folder, "label", "id")
        schema = Schema.from_json(found.schema)
        checked = check_rows(NamedTable("t", schema).read(spark, folder), schema, labelled=True)
        reason = reason_of(checked.columns)
        rows = checked.orderBy(F.col(quoted("id")).cast("int")).collect()
    assert [row[reason] for row in rows if row[reason]] == []
    assert [row["id"] for row in rows] == [str(n) for n in range(ROWS)]
    for field in schema.fields:
        theirs = table[field.name].to_pylist()
        for row, value in zip(rows, theirs, strict=True):
            mine = row[field.name]
            if value is None or str(value).strip(" ") in ("", *field.missing) or value in (math.inf, -math.inf):
                assert mine is None
            elif field.kind == "string":
                assert mine is not None
            else:
                assert mine == float(value) if field.kind == "float" else mine == int(value)
