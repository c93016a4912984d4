"""Answers to lines of films: an encoder, a decoder with attention, sampled softmax.

Reproduces the chatbot (easy_seq2seq) of the books: 20,000 words on each side, three layers of 256 GRU units, vectors of
256 numbers, 512 sampled words, gradient descent at rate 0.5, gradients clipped at 5, batches of 64 similarly long. The
book lowers the rate by a hundredth when the loss has not fallen for three checkpoints; here it falls by a hundredth per
300 steps. No score was printed, and there is no right answer: BLEU is small by nature.
"""

from emberline.features.columns import Embedding
from emberline.models.text import translation
from emberline.pipelines.recipe import Gate, Optimizer, Preparation, Recipe, Schedule, Training
from emberline.pipelines.recipes.text.translation import SOURCE, TARGET

RECIPE = Recipe(
    name="movie_dialogs",
    source="TensorFlow textbook, section 11.3: a chatbot",
    dataset="movie_dialogs",
    model=translation.Config(
        Embedding(SOURCE, 256), Embedding(TARGET, 256), units=256, layers=3, negatives=512, longest=30
    ),
    training=Training(
        optimizers=(Optimizer("sgd", learning_rate=0.5, schedule=Schedule("staircase", steps=300, factor=0.99)),),
        epochs=10,
        global_batch=64,
        clip_norm=5.0,
        bucket_by="source",
    ),
    preparation=Preparation(rows_per_block=50),
    gate=Gate("perplexity", 1e6),
)
