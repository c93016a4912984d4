#!/usr/bin/env bash
# tdigest 0.5.2.2: where values repeat, percentiles are none of them and lie outside their range: of 900 zeros and 100
# hundreds the first percentile is -88, and the 80th 70. Between two centroids it draws a line whose slope comes from
# both neighbours, and never looks at the smallest and the largest value. The median of the same numbers by fastdigest
# 0.12.0 is 0. Waiting times, amounts and counts, which are zero most of the time, get thresholds below zero or far
# too high.
#
# Seen, 1st, 50th and 80th percentile: tdigest -88.0 10.0 70.0, fastdigest 0.0 0.0 0.0, numpy 0.0 0.0 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tdigest==0.5.2.2 fastdigest==0.12.0 numpy==2.4.6
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import fastdigest
import numpy
import tdigest

values = [0] * 900 + [100] * 100
digest = tdigest.TDigest()
digest.batch_update(values)
other = fastdigest.TDigest.from_values(values)
for name, ask in (
    ("tdigest", digest.percentile),
    ("fastdigest", lambda percent: other.quantile(percent / 100)),
    ("numpy", lambda percent: numpy.percentile(values, percent)),
):
    print(name, *(f"{ask(percent):.1f}" for percent in (1, 50, 80)))
PYTHON
)
echo "tdigest 0.5.2.2:"
echo "$found"
[ "$found" = "tdigest -88.0 10.0 70.0
fastdigest 0.0 0.0 0.0
numpy 0.0 0.0 0.0" ]
