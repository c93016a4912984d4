#!/usr/bin/env bash
# @dsnp/parquetjs 1.8.8 (npm): three kinds of columns are read as other values, without a word. Booleans in data pages
# of version 2, whose values are run-length coded, all come out as false; in pages of version 1 they are right.
# Unsigned numbers above half of their range are negative. Timestamps of 96 bits, which Spark and Hive have written for
# years, are the nanoseconds of the day, without the day. pyarrow reads what it wrote.
#
# Seen, of true, missing, false, true, true, true: false, missing, false, false, false, false; of 4294967295: -1; of
#   2001-09-09 01:46:40 in 96 bits: 6400000000000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1
cd "$folder"
npm install --silent --no-audit --no-fund @dsnp/parquetjs@1.8.8 >/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import pyarrow
import pyarrow.parquet

flags = pyarrow.table({"x": [True, None, False, True, True, True]})
pyarrow.parquet.write_table(flags, "flags1.parquet", compression="none", data_page_version="1.0")
pyarrow.parquet.write_table(flags, "flags2.parquet", compression="none", data_page_version="2.0")
counts = pyarrow.table({"x": pyarrow.array([2**32 - 1, 7], pyarrow.uint32())})
pyarrow.parquet.write_table(counts, "counts.parquet", compression="none")
moments = pyarrow.table({"x": pyarrow.array([10**18], pyarrow.timestamp("ns"))})
pyarrow.parquet.write_table(moments, "moments.parquet", compression="none", use_deprecated_int96_timestamps=True)
for name, table in (("flags2", flags), ("counts", counts), ("moments", moments)):
    assert pyarrow.parquet.read_table(f"{name}.parquet")["x"].to_pylist() == table["x"].to_pylist()
PYTHON
found=$(node - <<'JAVASCRIPT'
const { ParquetReader } = require("@dsnp/parquetjs");

const main = async () => {
  for (const name of ["flags1", "flags2", "counts", "moments"]) {
    const reader = await ParquetReader.openFile(`${name}.parquet`);
    const cursor = reader.getCursor();
    const rows = [];
    for (let row = await cursor.next(); row; row = await cursor.next()) rows.push(String(row.x));
    await reader.close();
    console.log(name, rows.join(" "));
  }
};
main();
JAVASCRIPT
)
echo "@dsnp/parquetjs 1.8.8:"
echo "$found"
[ "$found" = "flags1 true null false true true true
flags2 false null false false false false
counts -1 7
moments 6400000000000" ]
