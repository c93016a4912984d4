#!/usr/bin/env bash
# pyorc 0.12.0: a number that is too large for its column's type is written without complaint, and read back unharmed
# by pyorc itself, so that a test of writing and reading passes. pyarrow sees another number in the same file: it cuts
# the number to the bits of the column. A decimal that is too large is refused. A counter that has grown past 2 billion
# in a column of type int arrives as zero or as a negative number at whoever the file was written for.
#
# Seen, of 70,000 in a smallint and 2**40 + 7 in an int: pyorc 70000 and 1099511627783, pyarrow 4464 and 7
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyorc==0.12.0 pyarrow==26.0.1
cd "$folder"
found=$("$folder/venv/bin/python" - <<'PYTHON'
import pyarrow.orc
import pyorc

with open("counts.orc", "wb") as file, pyorc.Writer(file, "struct<small:smallint,number:int>") as writer:
    writer.write((70_000, 2**40 + 7))
with open("counts.orc", "rb") as file:
    (own,) = pyorc.Reader(file)
other = tuple(pyarrow.orc.read_table("counts.orc").to_pylist()[0].values())
print(f"pyorc {own[0]} {own[1]}, pyarrow {other[0]} {other[1]}")
PYTHON
)
echo "pyorc 0.12.0: $found"
[ "$found" = "pyorc 70000 1099511627783, pyarrow 4464 7" ]
