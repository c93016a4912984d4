#!/usr/bin/env bash
# daft 0.7.26: `//`, which its description calls floor division, rounds towards zero for whole numbers: -7 // 2 is -3,
# where Python, pandas, Polars and NumPy say -4. Of the same numbers as floats it is -4. Buckets made by it, weeks
# before a reference day, cells of a grid across the equator, differences from a mean, have a bucket 0 that is twice as
# wide as the others and holds both signs.
#
# Seen, of -7 to 7, rows by x // 4: daft 4, 7, 4 in the buckets -1, 0, 1; polars 3, 4, 4, 4 in -2, -1, 0, 1; -7 // 2 of
#   whole numbers -3, of floats -4
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet daft==0.7.26 polars==2.1.0
found=$("$folder/venv/bin/python" -W ignore - 2>/dev/null <<'PYTHON'
import collections

import daft
import polars

whole = list(range(-7, 8))


def by_daft(values, size):
    return daft.from_pydict({"x": values}).select(daft.col("x") // size).to_pydict()["x"]


other = polars.DataFrame({"x": whole}).select(polars.col("x") // 4)["x"].to_list()
sizes = [sorted(collections.Counter(buckets).items()) for buckets in (by_daft(whole, 4), other)]
print(f"-7 // 2: {by_daft([-7], 2)[0]}, of floats {by_daft([-7.0], 2.0)[0]:.0f}")
print(f"daft {sizes[0]}, polars {sizes[1]}")
PYTHON
)
echo "daft 0.7.26:"
echo "$found"
[ "$found" = "-7 // 2: -3, of floats -4
daft [(-1, 4), (0, 7), (1, 4)], polars [(-2, 3), (-1, 4), (0, 4), (1, 4)]" ]
