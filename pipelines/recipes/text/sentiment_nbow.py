"""Opinions of film reviews by the mean of their words' vectors."""

from emberline.features.columns import Embedding, Vocabulary
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training

WORDS = Vocabulary("review", size=20_000, minimum_count=3, unseen_buckets=1, many=True)

TRAINING = Training(
    optimizers=(Optimizer("adam", learning_rate=0.002, schedule=Schedule("cosine")),),
    epochs=4,
    global_batch=64,
    bucket_by="review",
)
"""Reviews have some tens to hundreds of words: batches are of those similarly long."""

RECIPE = Recipe(
    name="sentiment_nbow",
    source="Iyyer and others, Deep Unordered Composition Rivals Syntactic Methods for Text Classification",
    dataset="reviews",
    model=dnn.Config(deep=(Embedding(WORDS, 100, combiner="mean"),), hidden_units=(100,), dropout=0.3),
    training=TRAINING,
    gate=Gate("accuracy", 0.6),
)
