#!/usr/bin/env bash
# TensorFlow 2.21.0: behind `Dataset.from_generator(…).rebatch(n)`, operations in a `tf.function` write into the NumPy
# arrays that the generator gave. Nothing is copied on the way in, `rebatch` gives slices of the same memory, and whoever
# holds the last slice is taken for its only owner. The first pass is right, and leaves other numbers in the arrays: a
# generator over arrays that are kept, as a data set in memory is, trains on them from the second epoch on. So do several
# devices of a `MirroredStrategy`, whose shares of a batch are made by `rebatch`. Which arrays change is chance.
# Without `rebatch`, or with `unbatch().batch(n)` in its place, they stay as they were.
#
# Seen, sums of the negatives of 0 to 3,999 in 1,000 arrays, three passes: as they come -7998000 each time; by
#   rebatch(2) -7998000, then others, and arrays that hold other numbers than before
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0
cat >"$folder/passes.py" <<'PYTHON'
import numpy
import tensorflow

MAKE = {
    "as they come": lambda rows: rows,
    "rebatch": lambda rows: rows.rebatch(2),
    "unbatch and batch": lambda rows: rows.unbatch().batch(2),
}


def arrays():
    return [numpy.arange(4, dtype="float32") + 4 * number for number in range(1000)]


@tensorflow.function
def negatives(batches, count):
    total = tensorflow.constant(0.0, tensorflow.float64)
    for _ in tensorflow.range(count):
        total += tensorflow.reduce_sum(tensorflow.cast(-next(batches), tensorflow.float64))
    return total


for name, make in MAKE.items():
    kept = arrays()
    given = tensorflow.data.Dataset.from_generator(
        lambda: iter(kept), output_signature=tensorflow.TensorSpec([None], tensorflow.float32)
    )
    count = 1000 if name == "as they come" else 2000
    sums = [float(negatives(iter(make(given)), tensorflow.constant(count))) for _ in range(3)]
    intact = all(numpy.array_equal(*pair) for pair in zip(kept, arrays()))
    print(f"{name}: {['other', 'right'][sums[0] == -7998000]}", end=", ")
    print(f"then {['other', 'right'][sums[1] == sums[2] == -7998000]}, arrays {['changed', 'intact'][intact]}")
PYTHON
found=$("$folder/venv/bin/python" "$folder/passes.py" 2>/dev/null)
echo "tensorflow 2.21.0:"
echo "$found"
[ "$found" = "as they come: right, then right, arrays intact
rebatch: right, then other, arrays changed
unbatch and batch: right, then right, arrays intact" ]
