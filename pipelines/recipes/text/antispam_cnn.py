"""Spam among chat messages by a convolution over their first twenty words.

Reproduces the convolutional classifier of "Deep Learning with TensorLayer", chapter 14 (anti-spam), which reports more
than 0.97 accuracy. Vectors of 200 numbers, six patterns of three words, the best of every three places, as printed.
"""

from emberline.features.columns import Embedding
from emberline.models.text import convolutional
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training
from emberline.pipelines.recipes.text.antispam_nbow import WORDS

RECIPE = Recipe(
    name="antispam_cnn",
    source="Deep Learning with TensorLayer, chapter 14: anti-spam",
    dataset="antispam",
    model=convolutional.Config(Embedding(WORDS, 200), dropout=0.2),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.002, schedule=Schedule("cosine")),), epochs=5, global_batch=128
    ),
    gate=Gate("accuracy", 0.9),
)
