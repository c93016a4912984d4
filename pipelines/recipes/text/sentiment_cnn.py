"""Opinions of film reviews by a convolution over their first words.

After Kim, "Convolutional Neural Networks for Sentence Classification", with patterns of one width.
"""

from emberline.features.columns import Embedding
from emberline.models.text import convolutional
from emberline.pipelines.recipe import Gate, Recipe
from emberline.pipelines.recipes.text.sentiment_nbow import TRAINING, WORDS

RECIPE = Recipe(
    name="sentiment_cnn",
    source="Kim, Convolutional Neural Networks for Sentence Classification",
    dataset="reviews",
    model=convolutional.Config(Embedding(WORDS, 100), length=400, filters=64, width=3, pool=20, dropout=0.3),
    training=TRAINING,
    gate=Gate("accuracy", 0.6),
)
