"""Iris with two labels: one network says of a flower its species and the width of its petals.

No published counterpart; an example of several labels. The first three of the network's four outputs are the logits of
the species, the fourth is the width.
"""

from emberline.features.columns import Numeric
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training

RECIPE = Recipe(
    name="iris_petals",
    source="an example of several labels, our own",
    dataset="iris_petals",
    model=dnn.Config(
        deep=tuple(Numeric(name, "zscore") for name in ("sepal_length", "sepal_width", "petal_length")),
        hidden_units=(10, 10),
        outputs=4,
    ),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.02, schedule=Schedule("cosine")),),
        epochs=60,
        global_batch=24,
        loss={"petal_width": "huber"},
        loss_weights={"petal_width": 0.5},
        checkpoint_every="20 epochs",
    ),
    gate=Gate("petal_width/rmse", 0.5),
)
