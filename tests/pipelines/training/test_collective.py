"""What workers tell each other outside of steps; the sum over real workers is proved by `test_two_workers`."""

import keras
import numpy as np
import tensorflow as tf

from emberline.pipelines.training.collective import agree, moving_averages


def test_variables_become_their_means_over_workers() -> None:
    mine, others = [tf.Variable([1.0, 2.0]), tf.Variable([[3.0]])], np.array([3.0, 2.0, 5.0])
    agree(mine, lambda values: values + others, 2)  # type: ignore[arg-type]
    assert [variable.numpy().tolist() for variable in mine] == [[2.0, 2.0], [[4.0]]]
    agree(mine, lambda values: values * np.nan, 1)  # type: ignore[arg-type]
    assert mine[1].numpy() == 4, "a single worker asks nobody"


def test_only_what_batch_normalisation_learns_is_averaged() -> None:
    layers = [keras.Input((3,)), keras.layers.BatchNormalization(name="norm"), keras.layers.Dropout(0.5)]
    found = moving_averages(keras.Sequential(layers))
    assert [variable.shape.as_list() for variable in found] == [[3], [3]]
