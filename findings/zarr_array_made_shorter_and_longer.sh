#!/usr/bin/env bash
# zarr 3.1.6: an array that is made shorter and longer again holds old values where there should be none: `resize`
# deletes the chunks that lie outside altogether, and leaves those on the border as they were. What comes back depends on
# the size of chunks. h5py gives the fill value, as NumPy's `resize` gives zeros.
#
# A store whose last, half-written part is cut off and appended to anew shows it: readers that wait for the fill value to
# go away see the rows of before.
#
# Seen, of ten ones in chunks of four, shortened to two and lengthened to ten:
#   zarr 1 1 1 1 0 0 0 0 0 0, h5py 1 1 0 0 0 0 0 0 0 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet zarr==3.1.6 h5py==3.16.0
cd "$folder"
found=$("$folder/venv/bin/python" - <<'PYTHON'
import h5py
import zarr

stored = zarr.open("array.zarr", mode="w", shape=(10,), chunks=(4,), dtype="i4", fill_value=0)
other = h5py.File("array.h5", "w").create_dataset("x", (10,), "i4", maxshape=(None,), chunks=(4,))
shown = []
for array in (stored, other):
    array[:] = 1
    array.resize((2,))
    array.resize((10,))
    shown.append(" ".join(map(str, array[:].tolist())))
print(f"zarr {shown[0]}, h5py {shown[1]}")
PYTHON
)
echo "zarr 3.1.6: $found"
[ "$found" = "zarr 1 1 1 1 0 0 0 0 0 0, h5py 1 1 0 0 0 0 0 0 0 0" ]
