"""Spam among chat messages by the sum of their words' vectors: "neural bag of words".

Reproduces the NBOW and MLP classifier of "Deep Learning with TensorLayer", chapter 14 (anti-spam), which reports more
than 0.97 accuracy for each of its three networks and about 0.93 for an earlier SVM. Vectors of 200 numbers and two
layers of 200 as described; the vectors are learned with the network. Words seen fewer than three times are unknown, as
there.
"""

from emberline.features.columns import Embedding, Segments
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training

WORDS = Segments("message", minimum_count=3)

RECIPE = Recipe(
    name="antispam_nbow",
    source="Deep Learning with TensorLayer, chapter 14: anti-spam",
    dataset="antispam",
    model=dnn.Config(deep=(Embedding(WORDS, 200, combiner="mean"),), hidden_units=(200, 200), dropout=0.2),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.002, schedule=Schedule("cosine")),), epochs=5, global_batch=128
    ),
    gate=Gate("accuracy", 0.9),
)
