"""A recipe's own network, loss, metrics and callback, from another recipe's dataset version to scores."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from keras import ops
from pyspark.sql import SparkSession
from sklearn import metrics

from benchmarks.iris import split, write_split
from emberline.features.columns import Numeric
from emberline.features.dataset_version import differing_columns, open_version
from emberline.features.errors import BadInputError
from emberline.models.keras_model import KerasModel
from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipe import EpochEnd, Evaluation, Gate, MeanMetric, Optimizer, Recipe, WholeMetric
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.register import register
from emberline.pipelines.score import score
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

pytestmark = pytest.mark.slow  # whole commands, one after the other

READ = ("petal_width", "petal_length", "sepal_length")
"""Not in the order of the dataset version, and not all that it holds."""


def network(features: dict[str, Any]) -> Any:
    hidden = keras.layers.Dense(10, "relu")(ops.concatenate([features[name] for name in READ], -1))
    return keras.layers.Dense(3)(hidden)


def smoothed(label: tf.Tensor, output: tf.Tensor) -> tf.Tensor:
    truth = 0.9 * tf.one_hot(tf.cast(label, tf.int32), 3) + 0.1 / 3
    return tf.nn.softmax_cross_entropy_with_logits(truth, output)


def unsure(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    return 1 - probabilities.max(axis=1)


def kappa(labels: np.ndarray, probabilities: np.ndarray) -> float:
    return float(metrics.cohen_kappa_score(labels, probabilities.argmax(axis=1)))


def end_after_four(end: EpochEnd) -> None:
    if end.epoch == 4:
        end.stop("four are enough")


def recipe() -> Recipe:
    base = load_recipe("iris_dnn")
    training = replace(
        base.training,
        optimizers=(Optimizer("adam", 0.05),),  # four epochs are twenty steps
        mode="local",
        loss=smoothed,
        callbacks=(end_after_four,),
        best_metric="eval_unsure",
    )
    own = (MeanMetric("unsure", unsure, smaller_is_better=True), WholeMetric("kappa", kappa))
    evaluation = Evaluation(slices=("sepal_width:3",), metrics=own)
    model = KerasModel(tuple(Numeric(name) for name in READ), network, outputs=3)
    return replace(base, model=model, training=training, evaluation=evaluation, gate=Gate("kappa", 0.1))


@pytest.fixture(scope="module")
def world(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tracker, str]:
    folder = tmp_path_factory.mktemp("own")
    write_split(str(folder / "raw"), split())
    made = etl(spark, load_recipe("iris_dnn"), str(folder / "raw"), str(folder / "dataset"))
    return folder, Tracker(f"sqlite:///{folder}/mlflow.db"), made.dataset


def test_from_a_dataset_version_of_another_recipe_to_scores(
    spark: SparkSession, world: tuple[Path, Tracker, str]
) -> None:
    folder, tracker, dataset = world
    mine, training = recipe(), str(folder / "training")
    trained = train(spark, mine, dataset, training, tracker)
    assert trained.steps == 4 * 5, "its callback ended it after four epochs"
    assert {"eval_unsure", "best_eval_unsure"} <= set(trained.metrics)
    found = evaluate(spark, mine, training, tracker)
    scores = pq.read_table(found.scores).to_pandas()
    probabilities = np.stack(scores.probabilities)
    assert found.metrics["kappa"] == pytest.approx(kappa(scores.species.to_numpy(), probabilities))
    assert found.metrics["unsure"] == pytest.approx(unsure(scores.species.to_numpy(), probabilities).mean(), rel=1e-5)
    for value, its in (
        ("below 3", scores.slice_sepal_width == "below 3"),
        ("3 and more", scores.slice_sepal_width != "below 3"),
    ):
        part = found.slices["sepal_width"][value]
        assert part["unsure"] == pytest.approx((1 - probabilities[its].max(axis=1)).mean(), rel=1e-5)
        assert part["kappa"] == pytest.approx(kappa(scores.species[its].to_numpy(), probabilities[its]))
    page = (folder / "training" / "evaluation.html").read_text()
    assert 'unsure <span class="soft">smaller is better' in page
    registered = register(spark, mine, training, tracker)
    assert (registered.alias, registered.metric) == ("champion", found.metrics["kappa"])
    predicted = score(
        spark, mine, f"models:/{registered.name}@champion", str(folder / "raw"), str(folder / "predictions"), tracker
    )
    assert predicted.rows_scored == 150
    kept = json.loads((folder / "training" / "model" / "recipe.json").read_text())
    assert kept["training"]["loss"]["kind"].partition("@")[0].endswith(":smoothed")


def test_what_a_dataset_version_lacks_is_named(spark: SparkSession, world: tuple[Path, Tracker, str]) -> None:
    folder, tracker, dataset = world
    mine = recipe()
    columns = (Numeric("sepal_width"), Numeric("petal_width", "zscore"), Numeric("petal_area"))
    lacking = replace(mine, model=replace(mine.model, columns=columns))  # type: ignore[type-var]
    with pytest.raises(
        BadInputError,
        match=r"does not hold the columns that recipe 'iris_dnn' asks for: it has no petal_area; it has other settings "
        r"of petal_width \(normalizer 'none', not 'zscore'\). Run etl for this recipe",
    ):
        train(spark, lacking, dataset, str(folder / "lacking"), tracker)
    version = open_version(dataset)
    assert differing_columns(version.features, mine.stored_columns) == ""
    assert differing_columns(version.features, tuple(reversed(load_recipe("iris_dnn").stored_columns))) == ""
