"""Vectors of words from plain text (text8), by skip-gram with noise-contrastive estimation.

Reproduces word2vec of "Deep Learning with TensorLayer", chapter 5: the 50,000 most frequent words, vectors of 128
numbers, 64 negatives; window, subsampling and least count are those of Mikolov's program. The books print no number for
the vectors themselves; the loss of a pair depends on the words drawn against it. Where they take a step of Adagrad for
128 pairs, here it is one of Adam for all pairs of 128 passages, with negatives of its own for each passage. The
synthetic stand-in is small: with `--set training.global_batch=8`, more than 0.9 of its analogies, a0 : b0 = a1 : ?,
are solved.
"""

from emberline.features.columns import Embedding, Vocabulary
from emberline.models.text import skip_gram
from emberline.pipelines.recipe import Gate, Optimizer, Preparation, Recipe, Training

RECIPE = Recipe(
    name="word2vec",
    source="Deep Learning with TensorLayer, chapter 5: word embeddings",
    dataset="text8",
    model=skip_gram.Config(Embedding(Vocabulary("text", size=50_000, minimum_count=5, many=True), 128)),
    training=Training(optimizers=(Optimizer("adam", learning_rate=0.01),), epochs=8, global_batch=128),
    preparation=Preparation(rows_per_block=100),
    gate=Gate("loss", 1e6),
)
