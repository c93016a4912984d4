#!/usr/bin/env bash
# @datadog/sketches-js 2.1.1 (npm): `merge` leaves out the other sketch's values below zero. They are counted, their
# sum, smallest and largest value are taken over, and their place in the order is not: of -1,000 to -1 merged into 1 to
# 1,000 the median is 1,002, above the largest of all, and the first percentile is 20. One sketch of the same values is
# right. Sketches are made to be merged, one per worker or minute; changes, balances, temperatures and errors of
# predictions have both signs.
#
# Seen, 1st, 25th, 50th and 75th percentile of -1,000 to 1,000 without 0: one sketch -983 -498 -1 498, merged ones 20
#   498 1002 1002
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @datadog/sketches-js@2.1.1 >/dev/null
found=$(node - <<'JAVASCRIPT'
const { DDSketch } = require("@datadog/sketches-js");

const sketched = (...signs) => {
  const sketch = new DDSketch();
  for (const sign of signs) for (let number = 1; number <= 1000; number += 1) sketch.accept(sign * number);
  return sketch;
};
const shown = (sketch) => [0.01, 0.25, 0.5, 0.75].map((share) => sketch.getValueAtQuantile(share).toFixed(0)).join(" ");
const merged = sketched(1);
merged.merge(sketched(-1));
console.log(`one sketch ${shown(sketched(1, -1))}`);
console.log(`merged ${shown(merged)}, count ${merged.count}, min ${merged.min}, max ${merged.max}, sum ${merged.sum}`);
JAVASCRIPT
)
echo "@datadog/sketches-js 2.1.1:"
echo "$found"
[ "$found" = "one sketch -983 -498 -1 498
merged 20 498 1002 1002, count 2000, min -1000, max 1000, sum 0" ]
