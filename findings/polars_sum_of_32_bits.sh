#!/usr/bin/env bash
# Polars 2.1.0: the sum of a column of Int32 is an Int32 and goes round past 2,147,483,647 without a word, also per
# group. Sums of Int8 and Int16 are widened, so that small tests of small types look right. pandas, Arrow and DuckDB widen
# all of them. Counts and amounts in cents are read as 32 bits from many databases and Parquet files; the total turns
# negative in the week in which the data have grown.
#
# Seen, of 2,147,483,647 and 1: polars -2147483648 alone and in a group, pyarrow 2147483648
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet polars==2.1.0 pyarrow==26.0.1
found=$("$folder/venv/bin/python" - <<'PYTHON'
import polars
import pyarrow
import pyarrow.compute

amounts = polars.Series("x", [2**31 - 1, 1], polars.Int32)
grouped = polars.DataFrame({"g": ["a", "a"], "x": amounts}).group_by("g").agg(polars.col("x").sum())["x"][0]
other = pyarrow.compute.sum(pyarrow.array([2**31 - 1, 1], pyarrow.int32())).as_py()
print(f"polars {amounts.sum()} alone, {grouped} in a group, pyarrow {other}")
PYTHON
)
echo "polars 2.1.0: $found"
[ "$found" = "polars -2147483648 alone, -2147483648 in a group, pyarrow 2147483648" ]
