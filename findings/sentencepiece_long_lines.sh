#!/usr/bin/env bash
# sentencepiece 0.2.3: training passes over every line of more than 4,192 bytes (`max_sentence_length`) and succeeds. Of a
# corpus with a document per line, as most are published, little or nothing is learned; what is left looks like a
# vocabulary. The log says how many lines were left out, among hundreds of other lines, and only below its level 1.
#
# Seen, of 300 short lines and 300 of 8,100 bytes with other words: the model knows "mat", and no letter z, q or v, which
# make up most of what it was given.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet sentencepiece==0.2.3
cd "$folder"
found=$("$folder/venv/bin/python" - <<'PYTHON'
import sentencepiece

lines = ["the cat sat on the mat"] * 300 + ["zebra quilt jungle vortex " * 310] * 300
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(lines), model_prefix="words", vocab_size=40, hard_vocab_limit=False, minloglevel=1
)
model = sentencepiece.SentencePieceProcessor(model_file="words.model")
unknown = model.unk_id()
print("mat", "known," if unknown not in model.encode("mat") else "unknown,",
      "zebra", "known" if unknown not in model.encode("zebra") else "unknown")
PYTHON
)
echo "sentencepiece 0.2.3: $found"
[ "$found" = "mat known, zebra unknown" ]
