#!/usr/bin/env bash
# tslearn 0.10.0: `PiecewiseAggregateApproximation` and the symbolic forms built on it (SAX, 1d-SAX) look at the first
# `n_segments * (length // n_segments)` values of a series and at none after those. Of 99 values in 50 segments, 49 are
# left out: a step that comes after the middle is not there, the words of the two series are the same, and their
# distance is 0. Nothing is said, and nothing in the description asks for a length that is a multiple. By the
# definition the segments are equal shares of the whole series, and the mean of their means is the mean of the series.
# Series of a year by weeks or months are such, and what is left out is the latest part.
#
# Seen, of zeros against the same with ones from the 60th value on, 99 values: mean of the segments 0.0, due 0.39; same
#   words, distances 0.0 0.0 0.0, between the series 6.24; with 98 values in 49 segments all of them above 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tslearn==0.10.0 numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1 numba==0.68.1
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import numpy
from tslearn.piecewise import (
    OneD_SymbolicAggregateApproximation,
    PiecewiseAggregateApproximation,
    SymbolicAggregateApproximation,
)

for length, segments in ((99, 50), (98, 49)):
    series = numpy.zeros((2, length, 1))
    series[1, 60:] = 1
    means = PiecewiseAggregateApproximation(segments)
    letters = SymbolicAggregateApproximation(segments, alphabet_size_avg=8)
    slopes = OneD_SymbolicAggregateApproximation(segments, alphabet_size_avg=8, alphabet_size_slope=4)
    shortened = means.fit_transform(series)
    words = letters.fit_transform(series)
    slopes.fit(series)
    distances = [round(float(way.distance(*series)), 2) for way in (means, letters, slopes)]
    print(
        f"{length} in {segments}: mean {shortened[1].mean():.2f} of {series[1].mean():.2f},",
        f"same words {numpy.array_equal(*words)}, distances {distances}",
    )
PYTHON
)
echo "tslearn 0.10.0:"
echo "$found"
[ "$found" = "99 in 50: mean 0.00 of 0.39, same words True, distances [0.0, 0.0, 0.0]
98 in 49: mean 0.39 of 0.39, same words False, distances [6.16, 2.19, 4.5]" ]
