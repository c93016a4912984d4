#!/usr/bin/env bash
# bloom-filters 3.0.4 (npm): `HyperLogLog` says about half of the true number as long as that is small beside its
# registers, and states an accuracy of 3 % for it: 54 for 100 different keys, 489 for 1,000, none for one. From two
# times the registers on it is as good as it says. Groups with few users and groups with many are thus compared by
# numbers of two kinds.
#
# Seen, with 1,024 registers, of 1, 100, 1,000, 5,000 and 20,000 keys: 0, 54, 489, 4872, 19300
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund bloom-filters@3.0.4 >/dev/null
found=$(node - <<'JAVASCRIPT'
const { HyperLogLog } = require("bloom-filters");

const counted = (count) => {
  const sketch = new HyperLogLog(1024);
  for (let number = 0; number < count; number += 1) sketch.update(`x${number}`);
  return sketch.count(true);
};
console.log([1, 100, 1000, 5000, 20000].map((count) => `${count}: ${counted(count)}`).join(", "));
JAVASCRIPT
)
echo "bloom-filters 3.0.4: $found"
[ "$found" = "1: 0, 100: 54, 1000: 489, 5000: 4872, 20000: 19300" ]
