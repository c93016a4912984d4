"""A small project of somebody else, as tests write it into a folder."""

from pathlib import Path

PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "rides-project"
version = "1.2"

[project.entry-points."emberline.recipes"]
rides = "rides.recipes.rides"
folder = "rides.recipes"
quick_rides = "rides.variants:QUICK"

[project.entry-points."emberline.datasets"]
rides = "rides.data"

[project.entry-points."emberline.networks"]
small = "rides.networks:SMALL"

[project.entry-points."emberline.columns"]
petals = "rides.networks:PETALS"

[project.entry-points."emberline.losses"]
late = "rides.losses:late"

[project.entry-points."emberline.metrics"]
bias = "rides.losses:BIAS"

[project.entry-points."emberline.optimizers"]
slow_sgd = "rides.losses:slow_sgd"

[project.entry-points."emberline.tasks"]
range = "rides.tasks:Range"

[tool.setuptools.packages.find]
include = ["rides*"]
"""

DATA = """\
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.readers.named_table import NamedTable

SCHEMA = Schema((Field("kilometres", "float"), Field("zone", "string")), Label("tipped", classes=(("no",), ("yes",))),
                key="ride")
DATASET = NamedTable("rides", SCHEMA)
"""

NETWORK = """\
from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    deep: tuple
    units: int = 3
    outputs: int = 1

    @property
    def columns(self):
        return self.deep


def build(config, cardinalities):
    import keras

    from emberline.models.tabular.feature_layers import dense_features, model_inputs
    from emberline.models.tabular.hidden_layers import hidden_layers

    inputs = model_inputs(config.columns)
    dense = dense_features(config.deep, inputs, cardinalities, name="deep")
    return keras.Model(inputs, hidden_layers(dense, (config.units,), "relu", 0.0, 1, name="deep"), name="rides")
"""

RECIPE = '''\
"""Rides that were tipped, by a network of our own."""

from emberline.features.columns import Indicator, Numeric, Vocabulary
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training
from rides import network

RECIPE = Recipe(
    name="rides",
    source="our own",
    dataset="rides",
    model=network.Config((Numeric("kilometres"), Indicator(Vocabulary("zone", ("north", "south", "west"))))),
    training=Training((Optimizer("adam", 0.01),), epochs=1, global_batch=64, workers=1),
    gate=Gate("auc"),
)
'''

VARIANTS = """\
from dataclasses import replace

from rides.data import DATASET
from rides.recipes.rides import RECIPE

QUICK = replace(RECIPE, name="quick_rides", dataset=DATASET)
LIST = [RECIPE]
"""


NETWORKS = """\
from emberline.features.columns import Numeric
from rides import network

PETALS = (Numeric("petal_length", "zscore"), Numeric("petal_width", "zscore"))
SMALL = network.Config(PETALS, units=2, outputs=3)
"""

LOSSES = """\
from emberline.pipelines.recipe import MeanMetric

BIAS = MeanMetric("bias", lambda labels, predictions: predictions - labels)


def late(label, output, weight=3.0):
    import tensorflow as tf

    error = label - output
    return tf.where(error > 0, weight * error, -error)


def slow_sgd(learning_rate, **settings):
    import keras

    return keras.optimizers.SGD(learning_rate, **settings)
"""

TASKS = '''\
"""Two numbers of which four fifths of the labels lie in between, learned as quantiles."""

from emberline.pipelines.tasks.task import PredictionColumn, means


class Range:
    outputs = 2
    columns = (PredictionColumn("low", "float"), PredictionColumn("high", "float"))
    metrics = ("inside", "width")
    default_metric = "width"
    directions = {"inside": False, "width": True}
    tally_length = 4

    def __init__(self, label, statistics):
        self.mean, self.deviation = (statistics.label.mean, statistics.label.deviation) if statistics else (0.0, 1.0)

    def losses(self, outputs, label):
        import tensorflow as tf

        error = (label - self.mean)[:, tf.newaxis] / self.deviation - outputs
        return tf.reduce_sum(tf.maximum([0.1, 0.9] * error, [-0.9, -0.1] * error), axis=1)

    def predict(self, outputs):
        low, high = outputs[:, 0], outputs[:, 1]
        return {"low": low * self.deviation + self.mean, "high": high * self.deviation + self.mean}

    def tally(self, predicted, label):
        import numpy as np

        low, high = predicted["low"].numpy(), predicted["high"].numpy()
        error = (label[:, None] - np.stack([low, high], axis=1)) / self.deviation
        loss = np.maximum(np.array([0.1, 0.9]) * error, np.array([-0.9, -0.1]) * error).sum()
        inside = (low <= label) & (label <= high)
        return np.array([loss, inside.sum(), (high - low).sum(), len(label)], np.float64)

    def held_out(self, sums):
        loss, inside, width, rows = sums
        return {"eval_loss": loss / rows, "eval_inside": inside / rows, "eval_width": width / rows}

    def evaluate(self, scored, label, threshold):
        from pyspark.sql import functions as F

        inside = F.col(label).between(F.col("low"), F.col("high")).cast("int")
        counted = scored.withColumns({"_inside": inside, "_width": F.col("high") - F.col("low")})
        return means(counted, {"inside": "_inside", "width": "_width"})
'''


def write_project(root: Path, **changed: str) -> Path:
    """Writes the project; `changed` has the text of files by their dotted module."""
    texts = {
        "rides.__init__": "",
        "rides.data": DATA,
        "rides.networks": NETWORKS,
        "rides.losses": LOSSES,
        "rides.network": NETWORK,
        "rides.recipes.__init__": "",
        "rides.recipes.rides": RECIPE,
        "rides.tasks": TASKS,
        "rides.variants": VARIANTS,
    }
    texts |= {name.replace("__", "."): text for name, text in changed.items()}
    root.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(PYPROJECT.replace('rides = "rides.recipes.rides"\n', ""))
    for module, text in texts.items():
        file = root / (module.replace(".", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root
