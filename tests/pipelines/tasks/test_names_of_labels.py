"""A label may be called anything: what is measured of it does not change with its name."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.recipe import Evaluation, MeanMetric, Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tasks import task_of

ODD = "quality.score `of` it?"
ROWS = 60
BIAS = MeanMetric("bias", lambda labels, predictions: np.reshape(predictions, (len(labels), -1))[:, -1] - labels)


def recipe_with(own: bool) -> Recipe | None:
    return dataclasses.replace(load_recipe("iris_dnn"), evaluation=Evaluation(metrics=(BIAS,))) if own else None


def scored(label: Label) -> pd.DataFrame:
    draw = np.random.default_rng(2)
    if not label.classes:
        columns = {"prediction": draw.normal(size=ROWS), "truth": draw.normal(size=ROWS)}
    elif len(label.classes) == 2:
        score = draw.random(ROWS)
        columns = {"score": score, "class": score > 0.5, "truth": draw.integers(0, 2, ROWS).astype(float)}
    else:
        shares = draw.dirichlet((1, 1, 1), ROWS)
        columns = {
            "probabilities": shares.tolist(),
            "class": shares.argmax(axis=1),
            "truth": draw.integers(0, 3, ROWS).astype(float),
        }
    return pd.DataFrame(columns)


LABELS = {
    "number": Label("label"),
    "two": Label("label", (("no",), ("yes",))),
    "three": Label("label", (("a",), ("b",), ("c",))),
}


@pytest.mark.parametrize("own", [False, True], ids=["tasks", "own"])
@pytest.mark.parametrize("kind", LABELS)
def test_metrics_do_not_depend_on_the_name(spark: SparkSession, kind: str, own: bool) -> None:
    found = []
    for name in ("label", ODD):
        label = dataclasses.replace(LABELS[kind], name=name)
        frame = spark.createDataFrame(scored(label).rename(columns={"truth": name}))
        found.append(task_of(label, recipe=recipe_with(own)).evaluate(frame, name, 0.5)[0].metrics)
    assert found[0] == pytest.approx(found[1], nan_ok=True)
    assert ("bias" in found[1]) == own


def test_several_labels_too(spark: SparkSession) -> None:
    found = []
    for first, second in (("one", "other"), (ODD, "`")):
        one, other = dataclasses.replace(LABELS["number"], name=first), dataclasses.replace(LABELS["two"], name=second)
        schema = Schema((Field("x", "float"),), one, "key", more_labels=(other,))
        tables = [
            scored(label).rename(
                columns={"truth": label.name}
                | {name: f"{label.name}_{name}" for name in ("prediction", "score", "class")}
            )
            for label in (one, other)
        ]
        frame = spark.createDataFrame(pd.concat(tables, axis=1))
        measured = task_of(schema).evaluate(frame, first, 0.5)[0].metrics
        found.append({name.replace(first, "1").replace(second, "2"): value for name, value in measured.items()})
    assert found[0] == pytest.approx(found[1])
