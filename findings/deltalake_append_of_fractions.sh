#!/usr/bin/env bash
# deltalake 1.6.6: `write_deltalake(..., mode="append")` of fractions to a column of integers cuts them off
# silently: 0.97 is stored as 0. A number that goes to a boolean column is stored as `true`. Decimals with another scale
# are refused, and so are numbers that are too large. Lance refuses fractions. A column that was whole in the first
# batch (a price, a score, a share) gets type int64 from it, and every later batch is rounded down.
#
# Seen, of [1] with [0.97, -1.5] appended: deltalake [1, 0, -1], lance refuses; of [False] with [2] appended: True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet deltalake==1.6.6 pylance==14.0.2 pyarrow==26.0.1
cd "$folder"
found=$("$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import lance
import pyarrow
from deltalake import DeltaTable, write_deltalake


def appended(name, first, then):
    write_deltalake(name, pyarrow.table({"x": first}))
    write_deltalake(name, pyarrow.table({"x": then}), mode="append")
    return sorted(DeltaTable(name).to_pyarrow_table()["x"].to_pylist(), key=lambda value: (value != first[0], -value))


numbers, flags = appended("numbers", [1], [0.97, -1.5]), appended("flags", [False], [2])
lance.write_dataset(pyarrow.table({"x": [1]}), "numbers.lance")
try:
    lance.write_dataset(pyarrow.table({"x": [0.97, -1.5]}), "numbers.lance", mode="append")
    other = "takes them"
except OSError:
    other = "refuses"
print(f"numbers {numbers}, flags {flags}; lance {other}")
PYTHON
)
echo "deltalake 1.6.6: $found"
[ "$found" = "numbers [1, 0, -1], flags [False, True]; lance refuses" ]
