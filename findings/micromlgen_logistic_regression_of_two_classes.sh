#!/usr/bin/env bash
# micromlgen 1.1.28: the C++ code for a `LogisticRegression` of two classes answers with the other class, always: the
# one score that scikit-learn keeps for two classes, which speaks for the second, is taken for the first, and the
# second has 0. Nothing is said. With three classes, each of which has its score, code and model agree. Of a balanced
# problem the code on the device is as bad as the model was good. The script needs `c++`.
#
# Seen, share of 400 rows in which the code agrees with the model: two classes 0.00, three classes 1.00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet micromlgen==1.1.28 scikit-learn==1.9.1
cd "$folder"
found=$("$folder/venv/bin/python" -W ignore - <<'PYTHON'
import subprocess
from pathlib import Path

import micromlgen
import numpy
from sklearn.linear_model import LogisticRegression

MAIN = """
#include <cstdint>
#include <cstdio>
CODE
int main() {
    Eloquent::ML::Port::LogisticRegression model;
    float x[2];
    while (scanf("%f %f", x, x + 1) == 2) printf("%d\\n", model.predict(x));
}
"""
rows = numpy.random.default_rng(0).normal(size=(400, 2))
shown = []
for name, label in (("two", rows[:, 0] > 0.3), ("three", numpy.digitize(rows[:, 0], [-0.5, 0.5]))):
    model = LogisticRegression().fit(rows, label.astype(int))
    Path("main.cpp").write_text(MAIN.replace("CODE", micromlgen.port(model).replace("#pragma once", "")))
    subprocess.run(["c++", "-w", "main.cpp", "-o", "main"], check=True)
    given = "\n".join(f"{first} {second}" for first, second in rows)
    answers = subprocess.run(["./main"], input=given, capture_output=True, text=True, check=True).stdout.split()
    shown.append(f"{name} classes {(numpy.array(answers, int) == model.predict(rows)).mean():.2f}")
print(", ".join(shown))
PYTHON
)
echo "micromlgen 1.1.28: $found"
[ "$found" = "two classes 0.00, three classes 1.00" ]
