#!/usr/bin/env bash
# fastparquet 2026.9.0: a date outside of 1677 to 2262 is read as another date: 9999-12-31, by which many databases
# mean "until further notice", becomes 1816-03-29, and 0001-01-01 becomes 1754-08-30. Days are turned into nanoseconds
# since 1970, which go round past 64 bits, without a word. Timestamps of the same file are read right, and pyarrow
# reads both right. Contracts that never end have ended two centuries ago.
#
# Seen, of 9999-12-31: as a date 1816-03-29, as a timestamp 9999-12-31, pyarrow 9999-12-31 for both
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet fastparquet==2026.9.0 pandas==3.1.1 pyarrow==26.0.1
cd "$folder"
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import datetime

import fastparquet
import pyarrow.parquet

last = [datetime.datetime(9999, 12, 31)]
table = {"date": pyarrow.array(last, pyarrow.date32()), "time": pyarrow.array(last, pyarrow.timestamp("us"))}
pyarrow.parquet.write_table(pyarrow.table(table), "contracts.parquet")
frame = fastparquet.ParquetFile("contracts.parquet").to_pandas()
other = pyarrow.parquet.read_table("contracts.parquet").to_pylist()[0]
own = [str(frame[name].dt.date[0]) for name in ("date", "time")]
print(f"date {own[0]}, time {own[1]}, pyarrow {other['date']}, {other['time']:%Y-%m-%d}")
PYTHON
)
echo "fastparquet 2026.9.0: $found"
[ "$found" = "date 1816-03-29, time 9999-12-31, pyarrow 9999-12-31, 9999-12-31" ]
