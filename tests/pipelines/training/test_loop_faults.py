"""What stops a training says where: the step and the variable, or the file."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Optimizer, Recipe
from emberline.pipelines.training.checkpoint import checkpoints
from emberline.pipelines.training.loop import Loop

Make = Callable[..., Recipe]
Start = Callable[..., tuple[Loop, list[dict[str, Any]]]]


def fail_at(monkeypatch: pytest.MonkeyPatch, loop: Loop, step: int, change: Callable[[tf.Tensor], tf.Tensor]) -> None:
    """From this step on (counted from 1) the loss of every row is changed; the repetition sees the same."""
    task = type(loop.step.task)
    losses, make = task.losses, type(loop)._make_step
    current = [loop.step]

    def remember(self: Loop) -> Any:
        current.append(make(self))
        return current[-1]

    def changed(self: Any, outputs: tf.Tensor, label: tf.Tensor) -> tf.Tensor:
        plain = losses(self, outputs, label)
        return tf.cond(current[-1].steps + 1 >= step, lambda: change(plain), lambda: plain)

    monkeypatch.setattr(type(loop), "_make_step", remember)
    monkeypatch.setattr(task, "losses", changed)


@pytest.mark.parametrize("at", [3, 18])
def test_a_loss_that_is_no_number_names_the_step(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """4 steps per call; step 18 is in the second epoch, behind a checkpoint."""
    loop, _ = start(recipe(), tmp_path)
    fail_at(monkeypatch, loop, at, lambda loss: loss * float("nan"))
    with pytest.raises(FloatingPointError) as raised:
        loop.run()
    assert f"The loss of step {at} is not finite. At step {at}: the loss is nan;" in str(raised.value)
    assert "gradients that are not finite: deep_0/kernel, deep_0/bias, deep_logit/kernel" in str(raised.value)


def test_a_gradient_is_named_at_the_step_before_its_loss(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The root of the distance to itself has no slope: the loss is fine at step 6, the weights are not behind it."""
    loop, _ = start(recipe(), tmp_path)
    fail_at(monkeypatch, loop, 6, lambda loss: loss + tf.sqrt(loss - loss))
    with pytest.raises(FloatingPointError, match=r"loss of step 7 is not finite\. At step 6: gradients that are not"):
        loop.run()


def test_a_single_variable_is_named_before_it_spreads(recipe: Make, start: Start, tmp_path: Path) -> None:
    """One optimizer with a rate beyond all numbers, on the last layer's bias alone."""
    chosen = recipe()
    split = (Optimizer("sgd", 3e38, scope="deep_logit/bias"), Optimizer("sgd", 0.01))
    chosen = dataclasses.replace(chosen, training=dataclasses.replace(chosen.training, optimizers=split))
    with pytest.raises(FloatingPointError, match=r"not finite: .*deep_logit/bias|loss is (nan|inf)"):
        start(chosen, tmp_path)[0].run()


def test_a_checkpoint_is_never_taken_of_what_is_not_finite(recipe: Make, start: Start, tmp_path: Path) -> None:
    loop, _ = start(recipe(epochs=1, steps_per_call=11), tmp_path)
    run = loop._epoch

    def poisoned(*arguments: Any) -> Any:
        found = run(*arguments)
        loop.step.weights[1].assign(np.full(8, np.nan, np.float32))
        return found

    loop._epoch = poisoned  # type: ignore[method-assign]
    with pytest.raises(FloatingPointError, match="After step 11 these variables are not finite: model/deep_0/bias"):
        loop.run()
    assert not checkpoints.complete(f"{tmp_path}/checkpoints")


@pytest.mark.parametrize("damage", ["absent", "cut", "flipped"])
def test_an_unreadable_shard_is_named_and_will_not_pass(
    recipe: Make, version: DatasetVersion, tmp_path: Path, damage: str
) -> None:
    storage.copy_folder(version.uri, str(tmp_path / "version"))
    shard = next((tmp_path / "version" / "train").glob("part-1*"))
    content = shard.read_bytes()
    match damage:
        case "absent":
            shard.unlink()
        case "cut":
            shard.write_bytes(content[: len(content) // 2])
        case "flipped":
            middle = len(content) // 2
            shard.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    damaged = DatasetVersion(str(tmp_path / "version"), version.manifest, version.features)
    loop = Loop(recipe(), damaged, str(tmp_path / "out"), tf.distribute.get_strategy(), 0, lambda event: None)
    with pytest.raises(BadInputError, match=str(shard)):
        loop.run()
