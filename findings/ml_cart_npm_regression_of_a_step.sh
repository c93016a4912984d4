#!/usr/bin/env bash
# ml-cart 2.1.1 (npm): `DecisionTreeRegression` does not make a split that would explain everything: of a step from 1
# to 3 it predicts 2 everywhere. A node is made a leaf when the error that is left after its best split is small, where
# it should be when the node itself has little error; the better the split, the surer it is not made. A step with noise
# is learned. Prices by class, tariffs, flags coded as numbers are such steps; `ml-random-forest` is built on these
# trees.
#
# Seen, of 100 rows with label 1 below x = 50 and 3 from there on, predictions at 0, 49, 50 and 99: 2 2 2 2; with a
#   little noise on the labels 1 1 3 3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund ml-cart@2.1.1 >/dev/null
found=$(node - <<'JAVASCRIPT'
const { DecisionTreeRegression } = require("ml-cart");

const rows = Array.from({ length: 100 }, (_, number) => [number]);
const predicted = (noise) => {
  const tree = new DecisionTreeRegression();
  tree.train(rows, rows.map(([x]) => (x < 50 ? 1 : 3) + noise * Math.sin(x)));
  return tree.predict([[0], [49], [50], [99]]).map((value) => value.toFixed(0)).join(" ");
};
console.log(`step ${predicted(0)}, with noise ${predicted(0.3)}`);
JAVASCRIPT
)
echo "ml-cart 2.1.1: $found"
[ "$found" = "step 2 2 2 2, with noise 1 1 3 3" ]
