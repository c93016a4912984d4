"""What `infer-schema --recipe` prints runs as it is, whatever the columns are called, from etl to a scored row."""

import json
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from emberline.features.names import safe_name
from emberline.pipelines.drift import measure_drift
from emberline.pipelines.etl import tracked_etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.infer_schema import infer
from emberline.pipelines.recipe import Evaluation, Recipe
from emberline.pipelines.register import register
from emberline.pipelines.score import score
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

pytestmark = pytest.mark.slow  # whole commands, one after the other

TEXTS = ("race/ethnicity", "class", "reason", "back`tick", "Größe", "a", "self")
NUMBERS = (
    "fixed acidity",
    "Sepal.Length",
    "share (%)",
    "a b",
    "a_b",
    "a-b",
    "A",
    "1stFlrSF",
    "_hidden",
    "x{y}[z]",
    "key",
)
KEY, LABEL, ROWS = "row.id", "is `it` good.or not?", 400


@dataclass(frozen=True)
class World:
    folder: Path
    table: pd.DataFrame
    recipe: Recipe
    tracker: Tracker
    run: str


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("names")
    random = np.random.default_rng(1)
    columns: Mapping[str, Any] = (
        {KEY: [f"k{n}" for n in range(ROWS)]}
        | {name: random.choice(["one", "two", "three"], ROWS) for name in TEXTS}
        | {name: random.normal(size=ROWS).round(3) for name in NUMBERS}
        | {"note": [f"note {n}" for n in range(ROWS)], LABEL: random.choice(["no", "yes"], ROWS)}
    )
    table = pd.DataFrame(columns)
    table.to_csv(folder / "rows.csv", index=False)
    code = folder / "mine.py"
    infer(spark, str(folder / "rows.csv"), LABEL, KEY, name="mine", output=str(code))
    recipe: Recipe = runpy.run_path(str(code))["RECIPE"]
    # One process, one epoch: what is tested is that every name arrives.
    once = replace(recipe.training, epochs=1, mode="local")
    recipe = replace(
        recipe, training=once, evaluation=Evaluation(slices=("reason", "race/ethnicity", "Sepal.Length:0"))
    )
    tracker = Tracker(f"sqlite:///{folder / 'mlflow.db'}")
    made = tracked_etl(spark, recipe, str(folder / "rows.csv"), str(folder / "dataset"), tracker)
    assert (made.rows_read, made.rows_rejected) == (ROWS, 0)
    run = train(spark, recipe, made.dataset, str(folder / "training"), tracker).run_id
    return World(folder, table, recipe, tracker, run)


def test_the_recipe_takes_columns_by_kind_and_number_of_values(world: World) -> None:
    code = (world.folder / "mine.py").read_text()
    assert 'Indicator(Vocabulary("race/ethnicity"))' in code
    assert 'Numeric("fixed acidity", normalizer="zscore")' in code
    assert "# No column, note: most rows have a value of their own." in code
    assert {column.name for column in world.recipe.model.columns} >= {*NUMBERS}


def test_it_is_evaluated_by_slices_and_becomes_a_model(spark: SparkSession, world: World) -> None:
    found = evaluate(spark, world.recipe, str(world.folder / "training"), world.tracker)
    assert set(found.slices) == {"reason", "race/ethnicity", "Sepal.Length"}
    assert sum(one["rows"] for one in found.slices["reason"].values()) == found.metrics["rows"]
    register(spark, world.recipe, str(world.folder / "training"), world.tracker)


def test_rows_are_scored_by_the_names_of_their_columns(spark: SparkSession, world: World) -> None:
    model = f"runs:/{world.run}/model"
    outputs = {}
    for form in ("csv", "parquet"):
        source = world.folder / f"rows.{form}"
        world.table.to_parquet(world.folder / "rows.parquet")
        done = score(spark, world.recipe, model, str(source), str(world.folder / f"scored-{form}"), world.tracker)
        assert (done.rows_scored, done.rows_rejected) == (ROWS, 0)
        outputs[form] = pd.read_parquet(world.folder / f"scored-{form}").set_index(KEY)["score"].sort_index()
    pd.testing.assert_series_equal(outputs["csv"], outputs["parquet"])
    loaded = mlflow.pyfunc.load_model(
        str(Path(world.tracker.fetch(world.tracker.find(model), str(world.folder / "m"))).parent)
    )
    theirs = loaded.predict(world.table[[*TEXTS, *NUMBERS]].head(5))["score"]
    np.testing.assert_allclose(theirs, outputs["csv"].loc[world.table[KEY].head(5)], rtol=1e-5)


def test_drift_says_the_users_names(spark: SparkSession, world: World) -> None:
    found = measure_drift(
        spark, world.recipe, f"runs:/{world.run}/model", str(world.folder / "rows.csv"), world.tracker
    )
    assert {one.field for one in found.fields} == {*TEXTS, *NUMBERS}
    assert not found.drifted


def test_the_model_tells_what_it_calls_columns(world: World) -> None:
    features = json.loads((world.folder / "training" / "model" / "features.json").read_text())
    assert features["renamed_inputs"]["fixed acidity"] == safe_name("fixed acidity") == "name__fixed_20_acidity"
    assert "a_b" not in features["renamed_inputs"]
