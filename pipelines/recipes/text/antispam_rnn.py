"""Spam among chat messages by an LSTM that reads them word by word.

Reproduces the recurrent classifier of "Deep Learning with TensorLayer", chapter 14 (anti-spam), which reports more than
0.97 accuracy. An LSTM of 64 units over vectors of 200 numbers, dropout of 0.2 before and after it, as printed. The
printed learning rate of 0.1 is too large for Adam, and the printed test curve has dropout switched on: ours has it off.
"""

from emberline.features.columns import Embedding
from emberline.models.text import recurrent
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training
from emberline.pipelines.recipes.text.antispam_nbow import WORDS

RECIPE = Recipe(
    name="antispam_rnn",
    source="Deep Learning with TensorLayer, chapter 14: anti-spam",
    dataset="antispam",
    model=recurrent.Config(Embedding(WORDS, 200), units=64, dropout=0.2),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.002, schedule=Schedule("cosine")),),
        epochs=4,
        global_batch=128,
        bucket_by="message",
    ),
    gate=Gate("accuracy", 0.9),
)
