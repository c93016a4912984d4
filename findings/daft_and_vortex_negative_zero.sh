#!/usr/bin/env bash
# Daft 0.7.26 and Vortex 0.93.0: -0.0 is neither equal to 0.0 nor at least 0.0: both compare numbers by their bits in
# IEEE 754's total order, against what their filters read like, and against what NumPy, Arrow, DuckDB and Polars
# answer. -0.0 is what rounding a small negative number gives, or `0.0 * -1`: a scan for "amount == 0" misses those
# rows, one for "amount >= 0" drops them, and in Daft a join or a group by a computed key sees two keys that print
# almost alike.
#
# Seen, of -0.0, 0.0 and 1.0: daft == 0: 1 row, >= 0: 2 rows, groups 3; vortex == 0: 1 row, >= 0: 2 rows; pyarrow 2 and
#   3 rows
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet daft==0.7.26 vortex-data==0.93.0 pyarrow==25.0.1
cd "$folder"
found=$("$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
import daft
import pyarrow
import pyarrow.compute
import vortex
import vortex.expr

table = pyarrow.table({"x": [-0.0, 0.0, 1.0]})
rows = daft.from_arrow(table)
vortex.io.write(vortex.array(table), "x.vortex")


def counts(x, keep):
    return f"== 0: {keep(x == 0.0)}, >= 0: {keep(x >= 0.0)}"


def scan(condition):
    return vortex.open("x.vortex").scan(expr=condition).read_all().to_arrow_table().num_rows


print(
    f"daft {counts(daft.col('x'), lambda condition: rows.where(condition).count_rows())}, "
    f"groups {rows.groupby('x').agg(daft.col('x').count().alias('n')).count_rows()}; "
    f"vortex {counts(vortex.expr.column('x'), scan)}; "
    f"pyarrow {counts(pyarrow.compute.field('x'), lambda condition: table.filter(condition).num_rows)}"
)
PYTHON
)
echo "daft 0.7.26, vortex-data 0.93.0: $found"
[ "$found" = "daft == 0: 1, >= 0: 2, groups 3; vortex == 0: 1, >= 0: 2; pyarrow == 0: 2, >= 0: 3" ]
