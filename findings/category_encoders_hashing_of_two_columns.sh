#!/usr/bin/env bash
# category_encoders 2.11.2: `HashingEncoder` hashes values without the name of their column, and all columns into the
# same components: a flight from Rome to Oslo and one from Oslo to Rome are the same row of features, whatever
# `n_components`, and no model can tell them apart. Sender and receiver, home and guest, former and present state are
# such columns. The hashing trick as scikit-learn has it (`FeatureHasher` of "from=Rome") keeps them apart.
#
# Seen, with 1,024 components: HashingEncoder equal rows, FeatureHasher different rows
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet category_encoders==2.11.2 scikit-learn==1.9.1 pandas==3.1.1
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import pandas
from category_encoders import HashingEncoder
from sklearn.feature_extraction import FeatureHasher

flights = pandas.DataFrame({"from": ["Rome", "Oslo"], "to": ["Oslo", "Rome"]})
encoded = HashingEncoder(n_components=1024, max_process=1).fit_transform(flights).to_numpy()
hashed = FeatureHasher(1024).transform(flights.to_dict("records")).toarray()
shown = ("equal" if (rows[0] == rows[1]).all() else "different" for rows in (encoded, hashed))
print("HashingEncoder {} rows, FeatureHasher {} rows".format(*shown))
PYTHON
)
echo "category_encoders 2.11.2: $found"
[ "$found" = "HashingEncoder equal rows, FeatureHasher different rows" ]
