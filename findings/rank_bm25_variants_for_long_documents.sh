#!/usr/bin/env bash
# rank-bm25 0.2.2: the two variants made for long documents do not do what they are for. `BM25L` multiplies the score of
# a term by how often it occurs, on top of the saturation that the formula holds already: a document with a word ten
# times gets more than ten times the score of one with it once, where k1 = 1.5 caps the gain below 2.5. (Corrected in
# the repository in 2022, and never released.) `BM25Plus` adds delta to the documents without the term as well, which
# Lv and Zhai's lower bound sets apart from those with it: delta lifts all documents by the same, and no ranking can
# change by it, however large it is. Whoever compares the three in an experiment compares something else.
#
# Seen: a word ten times against once in documents of equal length, BM25L 17.5 times, due 1.8; one long document with
#   the term and one without, difference of their scores with delta 0 and 10: BM25Plus 0.96 and 0.96, due 0.96 and 14.82
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet rank-bm25==0.2.2 numpy==2.4.6
found=$("$folder/venv/bin/python" - <<'PYTHON'
import math

from rank_bm25 import BM25L, BM25Plus

K1, B = 1.5, 0.75


def relative(documents: list[list[str]], place: int) -> float:
    mean = sum(map(len, documents)) / len(documents)
    return 1 - B + B * len(documents[place]) / mean


often = ["cat"] * 10 + ["other"] * 10
once = ["cat"] + ["other"] * 19
documents = [often, once, ["other"] * 20, ["other"] * 20]
scores = BM25L(documents).get_scores(["cat"])
bounded = [
    (K1 + 1) * (count / relative(documents, place) + 0.5) / (K1 + count / relative(documents, place) + 0.5)
    for place, count in ((0, 10), (1, 1))
]
print(f"BM25L {scores[0] / scores[1]:.1f}, due {bounded[0] / bounded[1]:.1f}")

documents = [["cat"] + ["other"] * 39, ["other"] * 10, ["other"] * 10]
rarity = math.log((len(documents) + 1) / 1)
term = rarity * (K1 + 1) / (1 + K1 * relative(documents, 0))
for delta in (0, 10):
    scores = BM25Plus(documents, delta=delta).get_scores(["cat"])
    print(f"BM25Plus, delta {delta}: {scores[0] - scores[1]:.2f}, due {term + rarity * delta:.2f}")
PYTHON
)
echo "rank-bm25 0.2.2:"
echo "$found"
[ "$found" = "BM25L 17.5, due 1.8
BM25Plus, delta 0: 0.96, due 0.96
BM25Plus, delta 10: 0.96, due 14.82" ]
