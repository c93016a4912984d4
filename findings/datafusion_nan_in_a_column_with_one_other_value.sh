#!/usr/bin/env bash
# DataFusion 55.0.0: a Parquet column whose only numbers are equal, beside NaN, is read as if the NaN were that number
# too: 1.0 and NaN come out as 1.0 and 1.0. The smallest and the largest value in the file's statistics leave NaN out,
# as the format asks, and the reader takes "smallest = largest, no nulls" for "all rows are alike". Sums, counts of NaN
# and whole rows are wrong alike; files by pyarrow and by Polars are affected. A reading that failed thus turns into a
# measurement: a flag that is 1.0 where it was known becomes 1.0 everywhere.
#
# Seen, of 1.0, NaN, NaN: rows [1.0, 1.0, 1.0], sum 3.0, NaN counted 0; pyarrow reads [1.0, nan, nan] from the same
#   file
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datafusion==55.0.0 pyarrow==26.0.1
cd "$folder"
found=$("$folder/venv/bin/python" - <<'PYTHON'
import datafusion
import pyarrow
import pyarrow.parquet

pyarrow.parquet.write_table(pyarrow.table({"x": [1.0, float("nan"), float("nan")]}), "readings.parquet")
session = datafusion.SessionContext()
session.register_parquet("readings", "readings.parquet")
rows = session.sql("SELECT x FROM readings").to_pydict()["x"]
sums = session.sql("SELECT sum(x) AS total, count(*) FILTER (WHERE isnan(x)) AS unknown FROM readings").to_pydict()
other = pyarrow.parquet.read_table("readings.parquet")["x"].to_pylist()
print(f"rows {rows}, sum {sums['total'][0]}, NaN counted {sums['unknown'][0]}; pyarrow {other}")
PYTHON
)
echo "datafusion 55.0.0: $found"
[ "$found" = "rows [1.0, 1.0, 1.0], sum 3.0, NaN counted 0; pyarrow [1.0, nan, nan]" ]
