#!/usr/bin/env bash
# Keras 3.15.1: `metrics.PearsonCorrelation` and `ConcordanceCorrelation` over rows (`axis=0`) give the mean of the
# correlations inside each batch, not the correlation of what they were shown: of the same predictions they say 0.999 in
# one batch, and about 0 in batches that each hold one range of values, as held-out rows ordered by day, patient or site
# do. Their descriptions do not say so, and an evaluation with another `batch_size` gives another number.
#
# Seen, of 320 predictions that are right to about 1, values 0, 10, 20 ... 90: 0.999 in one batch, below 0.1 in batches
#   of 32; NumPy 0.999
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6
found=$(KERAS_BACKEND=jax JAX_PLATFORMS=cpu "$folder/venv/bin/python" -W ignore - <<'PYTHON'
import keras
import numpy

draw = numpy.random.default_rng(0)
level = numpy.repeat(numpy.arange(10.0), 32) * 10
truth, predicted = level + draw.normal(size=320), level + draw.normal(size=320)
shown = []
for kind in (keras.metrics.PearsonCorrelation, keras.metrics.ConcordanceCorrelation):
    for size in (320, 32):
        metric = kind(axis=0)
        for start in range(0, 320, size):
            metric.update_state(truth[start : start + size], predicted[start : start + size])
        found = float(metric.result())
        shown.append(f"{found:.3f}" if abs(found) > 0.1 else "below 0.1")
print(", ".join(shown) + f", numpy {numpy.corrcoef(truth, predicted)[0, 1]:.3f}")
PYTHON
)
echo "keras 3.15.1: $found"
[ "$found" = "0.999, below 0.1, 0.999, below 0.1, numpy 0.999" ]
