"""Masks against scikit-learn's scores of the same pixels."""

import numpy as np
import pytest
from pyspark.errors import PythonException
from pyspark.sql import SparkSession
from sklearn import metrics

from emberline.pipelines.metrics.segmentation import segmentation_metrics

COLUMNS = "truth array<int>, predicted array<int>"


def test_they_equal_scikit_learns(spark: SparkSession) -> None:
    """Images of different sizes; class 3 is never true and class 4 is nowhere."""
    generator = np.random.default_rng(1)
    images = []
    for size in (10, 33, 64, 7):
        truth = generator.integers(0, 3, size)
        predicted = np.where(generator.random(size) < 0.7, truth, generator.integers(0, 4, size))
        images.append((truth.tolist(), predicted.tolist()))
    found = segmentation_metrics(spark.createDataFrame(images, COLUMNS).repartition(2), "truth", "predicted", 5)
    truth, predicted = (np.concatenate([image[place] for image in images]) for place in (0, 1))
    seen = [0, 1, 2, 3]
    iou = metrics.jaccard_score(truth, predicted, labels=seen, average=None)
    dice = metrics.f1_score(truth, predicted, labels=seen, average=None)
    assert found.metrics == pytest.approx(
        {"pixel_accuracy": np.mean(truth == predicted), "iou": iou.mean(), "dice": dice.mean(), "rows": 4}
    )
    assert found.details["iou"] == [*map(pytest.approx, iou), None]
    assert found.details["dice"] == [*map(pytest.approx, dice), None]
    assert found.details["confusion"] == metrics.confusion_matrix(truth, predicted, labels=range(5)).tolist()


def test_masks_that_do_not_fit_are_refused(spark: SparkSession) -> None:
    for truth, predicted, message in (([0, 1], [0], "another number of pixels"), ([0, 9], [0, 0], "has the class 9")):
        with pytest.raises(PythonException, match=message):
            segmentation_metrics(spark.createDataFrame([(truth, predicted)], COLUMNS), "truth", "predicted", 2)
