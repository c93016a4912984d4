"""The next word of the Penn Treebank, by two LSTM layers of 1500 units: the large network.

Reproduces the large configuration of TensorFlow's tutorial on recurrent networks (after Zaremba, Sutskever, Vinyals,
"Recurrent Neural Network Regularization"), whose code notes a
perplexity of 82.62 on the validation and 78.29 on the test text. On one
text cut into 20 lanes the tutorial carries the state from the first word to the last; here it begins anew with every
passage of 1,400 words, and passages are shuffled. Dropout is off where it is measured.
"""

from emberline.features.columns import Embedding, Vocabulary
from emberline.models.text import language
from emberline.pipelines.recipe import Gate, Optimizer, Preparation, Recipe, Schedule, Training

RECIPE = Recipe(
    name="ptb_large",
    source="TensorFlow documentation: recurrent neural networks",
    dataset="ptb",
    model=language.Config(
        Embedding(Vocabulary("text", size=10_000, many=True), 1500), layers=2, dropout=0.65, spread=0.04
    ),
    training=Training(
        optimizers=(Optimizer("sgd", learning_rate=1.0, schedule=Schedule("epochs", factor=1 / 1.15, held=14)),),
        epochs=55,
        global_batch=20,
        unroll=35,
        clip_norm=10,
    ),
    preparation=Preparation(rows_per_block=20),
    gate=Gate("perplexity", 1_000.0),
)
