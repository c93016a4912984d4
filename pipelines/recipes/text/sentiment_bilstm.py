"""Opinions of film reviews by an LSTM that reads them both ways, each as long as it is.

After the sentence encoder of "Deep Learning with TensorLayer", chapter 9 (variable length), which shows shapes and no
score; one layer here, in both directions.
"""

from emberline.features.columns import Embedding
from emberline.models.text import recurrent
from emberline.pipelines.recipe import Gate, Recipe
from emberline.pipelines.recipes.text.sentiment_nbow import TRAINING, WORDS

RECIPE = Recipe(
    name="sentiment_bilstm",
    source="Deep Learning with TensorLayer, chapter 9: dynamic recurrent networks",
    dataset="reviews",
    model=recurrent.Config(Embedding(WORDS, 100), units=64, bidirectional=True, dropout=0.3),
    training=TRAINING,
    gate=Gate("accuracy", 0.6),
)
