"""Vectors of words from plain text (text8), by skip-gram with noise-contrastive estimation.

Reproduces word2vec of "Deep Learning with TensorLayer", chapter 5: the 50,000 most frequent words, vectors of 128
numbers, 64 negatives, Adagrad at rate 1; window, subsampling and least count are those of Mikolov's program. The books
print no number for the vectors themselves; the loss of a pair depends on the words drawn against it. Negatives are
drawn for each passage instead of once for a batch of 128 pairs, and all pairs of 32 passages make one step: the rate is
lower for that.
"""

from features.columns import Embedding, Vocabulary
from models.text import skip_gram
from pipelines.recipe import Gate, Optimizer, Preparation, Recipe, Training

RECIPE = Recipe(
    name="word2vec",
    source="Deep Learning with TensorLayer, chapter 5: word embeddings",
    dataset="text8",
    model=skip_gram.Config(Embedding(Vocabulary("text", size=50_000, minimum_count=5, many=True), 128)),
    training=Training(optimizers=(Optimizer("adagrad", learning_rate=0.3),), epochs=10, global_batch=32),
    preparation=Preparation(rows_per_block=100),
    gate=Gate("loss", 1e6),
)
