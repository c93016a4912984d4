#!/usr/bin/env bash
# ml-logistic-regression 2.0.0 (npm): the model has no constant term, so that it can only part rows at zero: four rows
# at -2, -1, 1, 2 it tells apart, the same rows moved by 10 it does not, whatever the number of steps, and gives all of
# them one class. Nothing in its description says so, and nothing is said at training. Ages, prices and temperatures
# are such rows. A column of ones in the data is the way round.
#
# Seen, classes predicted for rows of two classes: 2; moved by 10: 1; moved by 10 with a column of ones: 2, all right
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund ml-logistic-regression@2.0.0 ml-matrix@6.12.1 >/dev/null
found=$(node - <<'JAVASCRIPT'
const { Matrix } = require("ml-matrix");
const package_ = require("ml-logistic-regression");
const LogisticRegression = package_.default || package_;

const predicted = (row) => {
  const rows = new Matrix([-2, -1, 1, 2].map(row));
  const model = new LogisticRegression({ numSteps: 20000, learningRate: 0.05 });
  model.train(rows, Matrix.columnVector([0, 0, 1, 1]));
  const classes = model.predict(rows);
  return `${new Set(classes).size} (${classes.filter((one, place) => one === (place < 2 ? 0 : 1)).length} of 4 right)`;
};
console.log(`${predicted((x) => [x])}, moved ${predicted((x) => [x + 10])}, ones ${predicted((x) => [x + 10, 1])}`);
JAVASCRIPT
)
echo "ml-logistic-regression 2.0.0: classes predicted: $found"
[ "$found" = "2 (4 of 4 right), moved 1 (2 of 4 right), ones 2 (4 of 4 right)" ]
