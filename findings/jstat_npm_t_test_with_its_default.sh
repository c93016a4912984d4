#!/usr/bin/env bash
# jstat 1.9.6 (npm): `ttest(value, mean, sd, n)` answers with the p-value of another test. Its description gives this
# form, and that the test has two sides where the fifth argument does not say how many. Without the fifth, the first
# argument is taken for a t-score and the second for the sample size, the rest for nothing: a mean of 102 of 25 values
# with a deviation of 5 has p = 8e-103 against 100, where 0.06 is due. `ztest` has the same description, and keeps to
# it. Differences of large numbers become significant, whatever they are, and those of small ones do not.
#
# Seen, p of 100 against 102, 5, 25: 7.9e-103, with a fifth argument of 2 0.057; of 1 against 2, 3, 10: 0.500 and 0.319;
#   by integrating Student's density: 0.057 and 0.319
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund jstat@1.9.6 >/dev/null
found=$(node - <<'JAVASCRIPT'
const { jStat } = require("jstat");

// Twice the area under Student's density from the score on, in the variable u = arctan(x / sqrt(freedom)).
const due = (value, mean, deviation, size) => {
  const freedom = size - 1;
  const start = Math.atan(Math.abs(value - mean) / (deviation / Math.sqrt(size)) / Math.sqrt(freedom));
  const area = (from) => {
    const steps = 100000;
    const width = (Math.PI / 2 - from) / steps;
    let sum = 0;
    for (let step = 0; step < steps; step += 1) sum += Math.cos(from + (step + 0.5) * width) ** (freedom - 1);
    return sum * width;
  };
  return area(start) / area(0);
};
for (const test of [[100, 102, 5, 25], [1, 2, 3, 10]]) {
  const plain = jStat.ttest(...test);
  const shown = plain < 1e-3 ? plain.toExponential(1) : plain.toFixed(3);
  console.log(`${test}: ${shown} with 2 ${jStat.ttest(...test, 2).toFixed(3)} due ${due(...test).toFixed(3)}`);
}
JAVASCRIPT
)
echo "jstat 1.9.6:"
echo "$found"
[ "$found" = "100,102,5,25: 7.9e-103 with 2 0.057 due 0.057
1,2,3,10: 0.500 with 2 0.319 due 0.319" ]
