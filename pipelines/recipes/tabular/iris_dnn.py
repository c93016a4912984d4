"""Iris with the first network of the TensorFlow documentation: four numbers, two hidden layers of ten, three species.

Reproduces "Getting Started with TensorFlow" (Premade Estimators) of the TensorFlow 1.8 documentation, which reports
an accuracy of 0.967 on its 30 test flowers. Columns and layers as documented (193 weights).

Expect an accuracy of 1.000 on 30 held-out flowers of scikit-learn's table, the mean of five seeds
(`python -m benchmarks.iris`); a minute on two cores, nearly all of it starting Spark and the workers.
"""

from emberline.features.columns import Numeric
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training

RECIPE = Recipe(
    name="iris_dnn",
    source="TensorFlow 1.8 documentation, Get Started: Getting Started with TensorFlow",
    dataset="iris",
    model=dnn.Config(
        deep=tuple(Numeric(name) for name in ("sepal_length", "sepal_width", "petal_length", "petal_width")),
        hidden_units=(10, 10),
        outputs=3,
    ),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.02, schedule=Schedule("cosine")),),
        epochs=60,
        global_batch=24,
        checkpoint_every="20 epochs",
    ),
    gate=Gate("accuracy", 0.8),
)
