#!/usr/bin/env bash
# pyiceberg 0.12.0: `delete` leaves rows that its condition selects, if another column of the condition is missing
# there: with "x = 2 or y = 'c'" a row with y = 'c' and no x is found by `scan` before and after. What is to be kept is
# computed as "not the condition, or any of its columns missing". Nothing is said. A deletion on request by one of two
# keys, of which a row rarely has both, leaves the very rows that it is about.
#
# Seen, of (1, a), (2, b), (missing, c), (3, c): selected 3 rows; after the deletion the same condition selects
#   (missing, c)
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
rows = pyarrow.table({"x": [1, 2, None, 3], "y": ["a", "b", "c", "c"]})
table = catalog.create_table("tables.rows", schema=rows.schema, location="rows")
table.append(rows)
condition = "x = 2 or y = 'c'"
before = table.scan(row_filter=condition).to_arrow().num_rows
table.delete(condition)
print(f"selected {before}, then {table.scan(row_filter=condition).to_arrow().to_pylist()}")
PYTHON
)
echo "pyiceberg 0.12.0: $found"
[ "$found" = "selected 3, then [{'x': None, 'y': 'c'}]" ]
