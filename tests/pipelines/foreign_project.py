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


def write_project(root: Path, **changed: str) -> Path:
    """Writes the project; `changed` has the text of files by their dotted module."""
    texts = {
        "rides.data": DATA, "rides.network": NETWORK, "rides.recipes.rides": RECIPE, "rides.variants": VARIANTS,
        "rides.__init__": "", "rides.recipes.__init__": "",
    } | {name.replace("__", "."): text for name, text in changed.items()}  # fmt: skip
    root.mkdir(parents=True, exist_ok=True)
    (root / "pyproject.toml").write_text(PYPROJECT.replace('rides = "rides.recipes.rides"\n', ""))
    for module, text in texts.items():
        file = root / (module.replace(".", "/") + ".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root
