#!/usr/bin/env bash
# daft 0.7.26: the mean of whole numbers is taken from a sum of 64 bits that goes round without a word: six moments of
# 2023, as nanoseconds since 1970, have the mean -1.4e18, before 1927. Their own smallest and largest value are right.
# The means of pyarrow, NumPy, Polars and DuckDB are right. Six rows are enough for moments, and two for ids made by
# hashing.
#
# Seen, of 1.7e18 and the five numbers after it: daft -1.374e+18, pyarrow, NumPy, Polars and DuckDB 1.700e+18
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet daft==0.7.26 pyarrow==25.0.1 numpy==2.4.6 polars==2.1.0 duckdb==2.0.1
found=$("$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import daft
import duckdb
import numpy
import polars
import pyarrow
import pyarrow.compute

moments = [1_700_000_000_000_000_000 + number for number in range(6)]
rows = pyarrow.table({"t": moments})
means = {
    "daft": daft.from_arrow(rows).agg(daft.col("t").mean()).to_pydict()["t"][0],
    "pyarrow": pyarrow.compute.mean(rows["t"]).as_py(),
    "numpy": numpy.mean(moments),
    "polars": polars.Series(moments).mean(),
    "duckdb": duckdb.sql("SELECT avg(t) FROM rows").fetchall()[0][0],
}
print(", ".join(f"{name} {mean:.3e}" for name, mean in means.items()))
PYTHON
)
echo "daft 0.7.26: $found"
[ "$found" = "daft -1.374e+18, pyarrow 1.700e+18, numpy 1.700e+18, polars 1.700e+18, duckdb 1.700e+18" ]
