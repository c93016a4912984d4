#!/usr/bin/env bash
# fastparquet 2026.9.0: `write(..., partition_on=[...])` loses the rows that have no value in a column of partitions.
# They are in no file, and nothing is said. pyarrow puts them into a partition of their own, as Hive does. A table that
# is partitioned by country or campaign is short of the rows whose country is unknown.
#
# Seen, of 3 rows, of which one has no country: written by fastparquet 2, by pyarrow 3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1
cd "$folder"
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
from pathlib import Path

import fastparquet
import pandas
import pyarrow.parquet

rows = pandas.DataFrame({"country": ["NO", None, "IT"], "x": [1, 2, 3]})
fastparquet.write("one", rows, file_scheme="hive", partition_on=["country"])
pyarrow.parquet.write_to_dataset(pyarrow.Table.from_pandas(rows), "other", partition_cols=["country"])
counts = [
    sum(pyarrow.parquet.ParquetFile(file).metadata.num_rows for file in Path(name).rglob("*.parquet") if file.is_file())
    for name in ("one", "other")
]
print(f"fastparquet {counts[0]}, pyarrow {counts[1]}")
PYTHON
)
echo "fastparquet 2026.9.0: rows written: $found"
[ "$found" = "fastparquet 2, pyarrow 3" ]
