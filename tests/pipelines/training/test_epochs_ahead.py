"""The rows of an epoch are on their way before its first step asks for them."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from emberline.pipelines.recipe import Recipe
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.loop import Loop

Make = Callable[..., Recipe]
Start = Callable[..., tuple[Loop, list[dict[str, Any]]]]


def test_batches_are_made_before_the_first_is_asked_for(recipe: Make, start: Start, tmp_path: Path) -> None:
    loop, _ = start(recipe(), tmp_path)
    came = threading.Event()

    def note(features: Any, label: tf.Tensor) -> Any:
        return features, tf.ensure_shape(tf.py_function(lambda rows: came.set() or rows, [label], tf.float32), [None])

    batches = iter(loop.batches.training(Position()).map(note).prefetch(1))
    assert came.wait(60)
    assert len(list(batches)) == loop.steps_per_epoch


@pytest.mark.parametrize("repeatable", [True, False])
def test_the_next_epoch_is_begun_before_held_out_rows_are_looked_at(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repeatable: bool
) -> None:
    loop, _ = start(recipe(tensorboard=False), tmp_path)
    training, evaluation, asked = loop.batches.training, loop.batches.evaluation, []

    def trained(position: Position) -> tf.data.Dataset:
        asked.append(f"epoch {position.epoch}")
        return training(position)

    def evaluated() -> tf.data.Dataset:
        if asked[-1] != "held out":
            asked.append("held out")
        return evaluation()

    monkeypatch.setattr(loop.batches, "training", trained)
    monkeypatch.setattr(loop.batches, "evaluation", evaluated)
    monkeypatch.setattr(type(loop.batches), "repeatable", repeatable)
    loop.run()
    ahead = ["epoch 0", "epoch 1", "held out", "epoch 2", "held out"]
    assert asked == (ahead if repeatable else ["epoch 0", "held out", "epoch 1", "held out", "epoch 2", "held out"])
