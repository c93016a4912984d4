"""What `emberline.testing` gives the tests of projects: tiny versions, and a contract that bad recipes break."""

import importlib
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emberline.features.columns import Indicator, Numeric, Vocabulary
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.models.tabular import dnn
from emberline.pipelines.datasets.readers.named_table import NamedTable
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training
from emberline.testing import TOLERANCE, check_recipe, tiny_version

RIDES = NamedTable(
    "rides",
    Schema(
        (Field("kilometres", "float"), Field("zone", "string")),
        Label("tipped", classes=(("no",), ("yes",))),
        key="ride",
    ),
)
RECIPE = Recipe(
    name="rides",
    source="a test",
    dataset=RIDES,
    model=dnn.Config((Numeric("kilometres", "zscore"), Indicator(Vocabulary("zone"))), hidden_units=(4,)),
    training=Training((Optimizer("adam", 0.01),), epochs=20, global_batch=64),
    gate=Gate("auc"),
)


def rows(count: int = 60) -> list[dict[str, Any]]:
    return [
        {"ride": f"r{n}", "kilometres": float(n % 13), "zone": ("north", "south")[n % 2],
         "tipped": ("no", "yes")[n % 3 == 0], "split": "eval" if n % 5 == 0 else "train"}
        for n in range(count)
    ]  # fmt: skip


def test_importing_it_is_light() -> None:
    script = (
        "import sys, emberline.testing\n"
        "sys.exit(str({'tensorflow', 'keras', 'pyspark', 'mlflow', 'numba'} & set(sys.modules) or ''))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.stderr.strip() == ""


@pytest.mark.parametrize("form", ["mappings", "pandas", "spark"])
def test_a_tiny_version_of_given_rows(spark: Any, tmp_path: Path, form: str) -> None:
    table = pd.DataFrame(rows())
    given = {"mappings": rows(), "pandas": table, "spark": spark.createDataFrame(table)}[form]
    version = tiny_version(spark, RECIPE, str(tmp_path), rows=given)
    assert (version.split("train").rows, version.split("eval").rows) == (48, 12)


def test_a_tiny_version_of_generated_rows(spark: Any, tmp_path: Path) -> None:
    from emberline.pipelines.recipes import load_recipe

    assert tiny_version(spark, load_recipe("iris_dnn"), str(tmp_path)).split("train").rows == 1200


def test_a_good_recipe_keeps_the_contract(spark: Any, tmp_path: Path) -> None:
    checked = check_recipe(spark, RECIPE, str(tmp_path), rows=rows())
    assert checked.largest_difference <= TOLERANCE
    assert {"eval_auc", "eval_accuracy"} <= checked.metrics.keys()
    predictions = pd.read_parquet(checked.predictions)
    assert sorted(predictions["ride"]) == sorted(row["ride"] for row in rows())
    assert np.isfinite(predictions["score"]).all()


def test_names_may_be_anything(spark: Any, tmp_path: Path) -> None:
    called = {"ride": "ride.no", "kilometres": "kilo metres", "zone": "reason", "tipped": "tipped?"}
    schema = Schema(
        (Field("kilo metres", "float"), Field("reason", "string")),
        Label("tipped?", classes=(("no",), ("yes",))),
        key="ride.no",
    )
    model = dnn.Config((Numeric("kilo metres", "zscore"), Indicator(Vocabulary("reason"))), hidden_units=(4,))
    recipe = replace(RECIPE, dataset=NamedTable("rides", schema), model=model)
    given = [{called.get(name, name): value for name, value in row.items()} for row in rows()]
    checked = check_recipe(spark, recipe, str(tmp_path), rows=given)
    assert checked.largest_difference <= TOLERANCE
    assert sorted(pd.read_parquet(checked.predictions)["ride.no"]) == sorted(row["ride"] for row in rows())


NOISY = """\
from dataclasses import dataclass


@dataclass(frozen=True)
class Config:
    deep: tuple
    outputs: int = 1

    @property
    def columns(self):
        return self.deep


def build(config, cardinalities):
    import keras
    import tensorflow as tf

    class Noise(keras.layers.Layer):
        def call(self, inputs):
            return inputs + tf.random.normal(tf.shape(inputs))

    number = keras.Input((), name="kilometres")
    logit = keras.layers.Dense(1)(keras.ops.expand_dims(number, -1))
    return keras.Model({"kilometres": number}, Noise()(keras.ops.squeeze(logit, -1)))
"""


def test_a_model_that_answers_otherwise_each_time_breaks_it(
    spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noisy_network.py").write_text(NOISY)
    monkeypatch.syspath_prepend(str(tmp_path))
    network = importlib.import_module("noisy_network")
    noisy = replace(RECIPE, model=network.Config((Numeric("kilometres"),)))
    with pytest.raises(AssertionError, match="Spark's scores and those of the exported model differ by"):
        check_recipe(spark, noisy, str(tmp_path / "work"), rows=rows())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gate": Gate("rmse")}, "gate.metric is 'rmse'"),
        ({"model": dnn.Config((Numeric("kilometers"),))}, "kilometers"),
        ({"model": dnn.Config((Numeric("zone"),))}, "zone"),
        ({"model": dnn.Config((Numeric("kilometres"),), outputs=3)}, "Set model.outputs=1"),
    ],
)
def test_a_recipe_that_does_not_fit_is_refused_before_spark(
    changed: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInputError, match=message):
        check_recipe(None, replace(RECIPE, **changed), str(tmp_path), rows=rows())  # type: ignore[arg-type]


def test_no_rows_and_two_sources_are_refused(spark: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="No rows were given"):
        tiny_version(spark, RECIPE, str(tmp_path), rows=[])
    with pytest.raises(BadInputError, match="Give one of them"):
        tiny_version(spark, RECIPE, str(tmp_path), rows=rows(), source="/x")
