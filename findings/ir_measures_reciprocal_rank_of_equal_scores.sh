#!/usr/bin/env bash
# ir-measures 0.4.3: of one run, the reciprocal rank of the first ten (`RR@10`) can be larger than that of all (`RR`),
# which no ranking allows: documents with equal scores are ordered by name in one direction for the one measure and in
# the other for the other, since two libraries behind it share the work. A model that gives all documents one score, or
# one that rounds, gets a figure near the best or near the worst by how documents are called, and the two stand side by
# side in one table.
#
# Seen, of ten documents with equal scores, of which the first in the alphabet is the right one: RR 0.1, RR@10 1.0,
#   Success@1 0.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet ir-measures==0.4.3 pytrec-eval-terrier==0.5.11
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import ir_measures
from ir_measures import RR, Success

measures = [RR, RR @ 10, Success @ 1]
scores = ir_measures.calc_aggregate(measures, {"q": {"a": 1}}, {"q": dict.fromkeys("abcdefghij", 1.0)})
print(", ".join(f"{measure} {scores[measure]:.1f}" for measure in measures))
PYTHON
)
echo "ir-measures 0.4.3: $found"
[ "$found" = "RR 0.1, RR@10 1.0, Success@1 0.0" ]
