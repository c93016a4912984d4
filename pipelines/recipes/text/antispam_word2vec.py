"""Vectors of the words of chat messages, by skip-gram; the spam filters can start from them.

Reproduces the word vectors of "Deep Learning with TensorLayer", chapter 14 (anti-spam): 200 numbers, five words to
either side, 64 negatives, words seen fewer than three times unknown. The book takes plain gradient descent; here it is
Adam, which needs fewer passes. Give the vectors to a filter with
`--set model.words.initial=TRAINING/model/vectors/message.npy`, and `--set model.words.trainable=false` to freeze them.
"""

from emberline.features.columns import Embedding
from emberline.models.text import skip_gram
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training
from emberline.pipelines.recipes.text.antispam_nbow import WORDS

RECIPE = Recipe(
    name="antispam_word2vec",
    source="Deep Learning with TensorLayer, chapter 14: anti-spam",
    dataset="antispam_vectors",
    model=skip_gram.Config(Embedding(WORDS, 200), subsample=1e-3),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.005),), epochs=8, global_batch=128, bucket_by="message"
    ),
    gate=Gate("loss", 1e6),
)
