#!/usr/bin/env bash
# h5py 3.16.0 (HDF5): `create_dataset(..., scaleoffset=2)` of numbers with a NaN among them stores the NaN as the
# smallest number of its chunk: the filter counts from the smallest value and has no code for NaN. Nothing is said. A
# missing reading comes back as a plausible one, another one in every chunk, and `isnan` finds none. Without the
# filter, or with gzip alone, NaN is kept.
#
# Seen, of 21.5, NaN, 23.25 in one chunk: 21.5 21.5 23.25
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h5py==3.16.0 numpy==2.4.6
cd "$folder"
found=$("$folder/venv/bin/python" - <<'PYTHON'
import h5py
import numpy

readings = numpy.array([21.5, numpy.nan, 23.25])
with h5py.File("readings.h5", "w") as file:
    scaled = file.create_dataset("scaled", data=readings, chunks=(3,), scaleoffset=2)
    zipped = file.create_dataset("zipped", data=readings, chunks=(3,), compression="gzip")
with h5py.File("readings.h5") as file:
    print(", ".join(f"{name} {' '.join(f'{value:.2f}' for value in file[name][:])}" for name in ("scaled", "zipped")))
PYTHON
)
echo "h5py 3.16.0: $found"
[ "$found" = "scaled 21.50 21.50 23.25, zipped 21.50 nan 23.25" ]
