"""The best epoch decides when a training ends, and what is left of it."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Training
from emberline.pipelines.recipe.interval import Interval
from emberline.pipelines.training.checkpoint.best_epoch import BestEpoch
from emberline.pipelines.training.checkpoint.checkpoints import Writer
from emberline.pipelines.training.checkpoint.position import Position

KNOWN = ("eval_auc", "eval_log_loss")


def training(**settings: object) -> Training:
    return Training((), epochs=9, global_batch=1, workers=1, **settings)  # type: ignore[arg-type]


def test_a_training_ends_after_so_many_epochs_that_are_no_better() -> None:
    best = BestEpoch(training(best_metric="eval_log_loss", patience=2), KNOWN, smaller_is_better=True)
    position, over = Position(), []
    for loss in (0.5, 0.3, 0.4, float("nan")):
        position = best.judged(position.after(10, 1).next_epoch(), {"eval_log_loss": loss})
        over.append(best.is_over(position))
    assert over == [False, False, False, True]
    assert position.best
    assert (position.best.step, position.best.value) == (20, 0.3)


def test_without_a_metric_no_epoch_is_best() -> None:
    best = BestEpoch(training(), KNOWN, smaller_is_better=False)
    assert best.judged(Position(3, 1), {"eval_auc": 0.9}) == Position(3, 1)
    assert not best.is_over(Position(3, 1))


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"best_metric='eval_auk' is no metric of held-out rows.*eval_auc"):
        BestEpoch(training(best_metric="eval_auk"), KNOWN, smaller_is_better=False)


def test_the_way_back_is_its_checkpoint(tmp_path: Path) -> None:
    best = BestEpoch(training(best_metric="eval_auc"), KNOWN, smaller_is_better=False)
    weight = tf.Variable([0.0, 0.0])
    position = Position()
    with Writer(str(tmp_path), {"weight": weight}, keep=5, every=Interval.parse("1 epoch")) as writer:
        for auc in (0.7, 0.9, 0.8):
            weight.assign_add([1.0, 2.0])
            position = best.judged(position.after(5, 1).next_epoch(), {"eval_auc": auc})
            writer.save(position)
    best.restore(position, str(tmp_path), {"weight": weight})
    np.testing.assert_array_equal(weight.numpy(), [2.0, 4.0])
