#!/usr/bin/env bash
# @tidyjs/tidy 2.6.1 (npm): `fullSeqDateISOString(key, "month")`, which fills gaps in a series, skips months when the
# series begins after the 28th: from 31 January it goes on with 2 March, since 31 February is that, and stays on the
# 2nd: February and the last month are missing, and the months that are there do not meet the rows, so that what
# `complete` fills in stands beside them instead of between. Polars keeps to the ends of months.
#
# Seen, from 2024-01-31 to 2024-04-30 by months: 2024-01-31, 2024-03-02, 2024-04-02; from 2024-01-28 four months
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --no-audit --no-fund @tidyjs/tidy@2.6.1 >/dev/null
found=$(node - <<'JAVASCRIPT'
const { tidy, expand, fullSeqDateISOString } = require("@tidyjs/tidy");

const months = (first, last) =>
  tidy([{ day: first }, { day: last }], expand({ day: fullSeqDateISOString("day", "month") })).map(({ day }) => day);
const short = (days) => days.map((day) => day.slice(0, 10)).join(" ");
console.log(short(months("2024-01-31", "2024-04-30")));
console.log(short(months("2024-01-28", "2024-04-28")));
JAVASCRIPT
)
echo "@tidyjs/tidy 2.6.1:"
echo "$found"
[ "$found" = "2024-01-31 2024-03-02 2024-04-02
2024-01-28 2024-02-28 2024-03-28 2024-04-28" ]
