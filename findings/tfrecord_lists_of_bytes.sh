#!/usr/bin/env bash
# tfrecord 1.14.6: a feature that is a list of byte strings is read without the zero bytes at the end of each: NumPy
# arrays of bytes, which it makes of them, take those for padding. A single byte string, read in another way, is whole.
# Tensors that were stored by their bytes end so whenever their last number is a small integer: what comes back has
# another length or, for one number per entry, is no longer a number.
#
# Seen, of the numbers 1, 256 and 3, 4, each as 8 bytes of 32-bit integers: alone 8 bytes, in a list 6 and 5 bytes; in
#   the record itself, by its protocol buffer, 8 and 8
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tfrecord==1.14.6 numpy==2.4.6 protobuf==7.36.2 crc32c==2.9.post0
cd "$folder"
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy
import tfrecord
from tfrecord import example_pb2
from tfrecord.reader import tfrecord_iterator

entries = [numpy.array(numbers, "<i4").tobytes() for numbers in ([1, 256], [3, 4])]
writer = tfrecord.TFRecordWriter("rows.tfrecord")
writer.write({"alone": (entries[0], "byte"), "list": (entries, "byte")})
writer.close()
(row,) = tfrecord.tfrecord_loader("rows.tfrecord", None)
example = example_pb2.Example.FromString(bytes(next(tfrecord_iterator("rows.tfrecord"))))
stored = [len(entry) for entry in example.features.feature["list"].bytes_list.value]
print("alone", len(row["alone"]), "list", [len(entry) for entry in row["list"]], "in the record", stored)
PYTHON
)
echo "tfrecord 1.14.6: $found"
[ "$found" = "alone 8 list [6, 5] in the record [8, 8]" ]
