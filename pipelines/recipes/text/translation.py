"""Sentences translated by an encoder and a decoder with attention: beams of four, BLEU.

A smaller network than those of the books, for sentences of a few thousand different words.
"""

from emberline.features.columns import Embedding, Vocabulary
from emberline.models.text import translation
from emberline.pipelines.recipe import Gate, Optimizer, Preparation, Recipe, Schedule, Training

SOURCE = Vocabulary("source", size=20_000, minimum_count=2, unseen_buckets=1, many=True)
TARGET = Vocabulary("target", size=20_000, minimum_count=2, unseen_buckets=1, many=True)

RECIPE = Recipe(
    name="translation",
    source="Bahdanau, Cho, Bengio: neural machine translation by jointly learning to align and translate",
    dataset="sentence_pairs",
    model=translation.Config(Embedding(SOURCE, 64), Embedding(TARGET, 64), units=96, dropout=0.1),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.003, schedule=Schedule("cosine", end=0.05)),),
        epochs=8,
        global_batch=64,
        clip_norm=5.0,
        bucket_by="source",
    ),
    preparation=Preparation(rows_per_block=200),
    gate=Gate("bleu", 0.1),
)
