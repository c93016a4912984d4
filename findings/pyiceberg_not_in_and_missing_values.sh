#!/usr/bin/env bash
# pyiceberg 0.12.0: whether "not in" selects rows without a value depends on how many values are in the list: "x not in
# (1)" leaves them out, as "x != 1" does, and "x not in (1, 7)" takes them, although 7 occurs nowhere. A list of one is
# turned into "!=", which knows missing values in another way. `delete` with the longer list then deletes the other
# rows and leaves those. An exclusion list that grows from one entry to two changes the training set by all rows that
# lack the value.
#
# Seen, of 1, 2, missing, 3: not in (1): [2, 3], not in (1, 7): [2, None, 3], left after delete of the latter [1, None]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pyiceberg[sql-sqlite]==0.12.0" pyarrow==26.0.1
cd "$folder"
found=$("$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import pyarrow
from pyiceberg.catalog.sql import SqlCatalog

catalog = SqlCatalog("local", uri="sqlite:///catalog.db", warehouse="file://warehouse")
catalog.create_namespace("tables")
rows = pyarrow.table({"x": [1, 2, None, 3]})
table = catalog.create_table("tables.rows", schema=rows.schema, location="rows")
table.append(rows)
shown = [table.scan(row_filter=f"x not in {values}").to_arrow()["x"].to_pylist() for values in ("(1)", "(1, 7)")]
table.delete("x not in (1, 7)")
print(*shown, "left", table.scan().to_arrow()["x"].to_pylist())
PYTHON
)
echo "pyiceberg 0.12.0: $found"
[ "$found" = "[2, 3] [2, None, 3] left [1, None]" ]
