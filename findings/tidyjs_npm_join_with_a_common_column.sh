#!/usr/bin/env bash
# @tidyjs/tidy 2.6.1 (npm): a left join of two tables that share a column beside the key mixes the two: rows with a
# match have the right table's value, rows without keep the left table's, under one name. Nothing is said. pandas gives
# both columns, with suffixes. An "amount" of orders becomes the amount of payments wherever a payment has arrived.
#
# Seen, of orders 1 (100) and 2 (200) and of payment 1 (5): amounts 5 and 200
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @tidyjs/tidy@2.6.1 >/dev/null
found=$(node - <<'JAVASCRIPT'
const { tidy, leftJoin } = require("@tidyjs/tidy");

const orders = [{ id: 1, amount: 100 }, { id: 2, amount: 200 }];
const payments = [{ id: 1, amount: 5 }];
console.log(JSON.stringify(tidy(orders, leftJoin(payments, { by: "id" }))));
JAVASCRIPT
)
echo "@tidyjs/tidy 2.6.1: $found"
[ "$found" = '[{"id":1,"amount":5},{"id":2,"amount":200}]' ]
