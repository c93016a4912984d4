#!/usr/bin/env bash
# pyarrow 26.0.1: a slice of one row pickles with everything that it was cut from: 8 MB for a single number of a million,
# while its `nbytes` say 8 and Arrow's IPC format takes some hundred bytes. Whoever cuts a table into a thousand pieces
# for a process pool, a queue or a cache that pickles sends the table a thousand times.
#
# Seen, of 1,000,000 int64: nbytes 8, pickled more than 8,000,000, by IPC less than 1,000
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyarrow==26.0.1
found=$("$folder/venv/bin/python" - <<'PYTHON'
import pickle

import pyarrow

table = pyarrow.table({"x": pyarrow.array(range(1_000_000))}).slice(0, 1)
(batch,) = table.to_batches()
sent = len(pickle.dumps(table, protocol=5))
print(f"nbytes {table.nbytes}, pickled {'whole' if sent > 8_000_000 else sent}, by IPC {'small' if batch.serialize().size < 1000 else 'large'}")
PYTHON
)
echo "pyarrow 26.0.1: $found"
[ "$found" = "nbytes 8, pickled whole, by IPC small" ]
