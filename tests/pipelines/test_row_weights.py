"""A field that weighs rows is stored for training and asked of nobody who scores."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession

from emberline.features.dataset_version import open_version
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop

SETTINGS = {"training.weight": "fnlwgt", "training.workers": "1", "training.epochs": "1"}


@pytest.mark.slow
def test_the_weight_of_a_row_is_for_training_alone(spark: SparkSession, census_slice: Path, tmp_path: Path) -> None:
    recipe = load_recipe("census_wide_deep", SETTINGS)
    version = open_version(etl(spark, recipe, str(census_slice), str(tmp_path / "dataset")).dataset)
    loop = Loop(recipe, version, str(tmp_path / "training"), tf.distribute.get_strategy(), 0, lambda event: None)
    features, _, weight = next(iter(loop.batches.training(Position())))
    assert "fnlwgt" not in features
    lines = [line.split(",") for line in (census_slice / "adult.data").read_text().splitlines()]
    assert np.isin(weight.numpy(), np.array([float(line[2]) for line in lines if len(line) > 3])).all()
    export(recipe, version, loop.run(), str(tmp_path / "model"))
    scoring = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"]
    assert "fnlwgt" not in scoring.structured_input_signature[1]
    assert "age" in scoring.structured_input_signature[1]
