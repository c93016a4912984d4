#!/usr/bin/env bash
# gensim 4.4.0: a key with a blank, such as "new york", is written into word2vec's binary format without complaint
# and read back without complaint, as other keys with other vectors: the format ends a word with a blank, so that the
# rest of the key is read as numbers, and the numbers that follow as the next word. Keys from Phrases with
# delimiter=" ", from entity names or product titles all are of that kind. The text format fails at least.
#
# Seen: of new york [1, 2] and b [3, 4] and c [5, 6], keys after reading: new, (bytes of a number), c;
#   the vector of "new" begins with 2.9e+26
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gensim==4.4.0
cd "$folder"
found=$("$folder/venv/bin/python" - <<'PYTHON'
import numpy
from gensim.models import KeyedVectors

vectors = KeyedVectors(2)
vectors.add_vectors(["new york", "b", "c"], numpy.array([[1, 2], [3, 4], [5, 6]], numpy.float32))
vectors.save_word2vec_format("vectors.bin", binary=True)
back = KeyedVectors.load_word2vec_format("vectors.bin", binary=True)
print(f"{len(back)} keys, {[key for key in ('new york', 'new', 'b', 'c') if key in back]}, {back['new'][0]:.1e}")
PYTHON
)
echo "gensim 4.4.0: $found"
[ "$found" = "3 keys, ['new', 'c'], 2.9e+26" ]
