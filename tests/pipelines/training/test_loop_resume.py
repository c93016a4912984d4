"""A training that was cut short anywhere ends as if it had never been; the best epoch is kept."""

import errno
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Optimizer, Recipe, Schedule
from emberline.pipelines.training.checkpoint import checkpoints
from emberline.pipelines.training.checkpoint.checkpoints import CheckpointError
from emberline.pipelines.training.checkpoint.position import Best, Leg, Position
from emberline.pipelines.training.input.batches import ShardBatches
from emberline.pipelines.training.loop import Loop

Make = Callable[..., Recipe]
Start = Callable[..., tuple[Loop, list[dict[str, Any]]]]


def values(loop: Loop) -> dict[str, np.ndarray]:
    return {name: np.array(variable) for name, variable in loop.step.variables.items()}


def positions(output: Path) -> list[int]:
    return [int(uri.rpartition("-")[2]) for uri in checkpoints.complete(f"{output}/checkpoints")]


def test_a_training_killed_in_mid_epoch_ends_bit_for_bit_as_an_undisturbed_one(
    recipe: Make, start: Start, tmp_path: Path
) -> None:
    """11 steps per epoch, a checkpoint every 3; killed after step 18, in the second epoch; dropout draws included."""
    chosen = recipe(checkpoint_every="3 steps")
    whole, _ = start(chosen, tmp_path / "whole")
    whole.run()
    killed, _ = start(chosen, tmp_path / "cut", kill_at=17)
    with pytest.raises(KeyboardInterrupt, match="killed"):
        killed.run()
    assert positions(tmp_path / "cut") == [9, 12, 15]
    again, events = start(chosen, tmp_path / "cut")
    again.run()
    assert events[0] == {"event": "start", "step": 15, "epoch": 1, "steps": 33}
    expected = values(whole)
    for name, value in values(again).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_the_rhythm_of_an_optimizer_goes_on_behind_a_checkpoint(recipe: Make, start: Start, tmp_path: Path) -> None:
    """Its moves are steps 4, 8, 12 and so on; the checkpoint that is gone on from is that of step 15."""
    chosen = recipe(checkpoint_every="3 steps")
    both = (Optimizer("adam", 0.02, "deep_0", every=4), Optimizer("adam", 0.02))
    chosen = replace(chosen, training=replace(chosen.training, optimizers=both))
    whole, _ = start(chosen, tmp_path / "whole")
    whole.run()
    killed, _ = start(chosen, tmp_path / "cut", kill_at=17)
    with pytest.raises(KeyboardInterrupt, match="killed"):
        killed.run()
    again, events = start(chosen, tmp_path / "cut")
    again.run()
    assert events[0]["step"] == 15
    assert [int(optimizer.iterations) for optimizer in again.step.optimizers] == [33 // 4, 33]
    expected = values(whole)
    for name, value in values(again).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_what_optimizers_and_averages_remember_is_in_a_checkpoint(recipe: Make, start: Start, tmp_path: Path) -> None:
    """A loss scale, moving averages, two schedules: one epoch and then another is the same as two."""
    settings = {"precision": "mixed_float16", "average_decay": 0.9}
    optimizer = Optimizer("adam", 0.02, schedule=Schedule("exponential", steps=5, factor=0.9, warmup_steps=3))
    whole, _ = start(recipe(optimizer, epochs=2, **settings), tmp_path / "whole")
    whole.run()
    start(recipe(optimizer, epochs=1, **settings), tmp_path / "parts")[0].run()
    rest, events = start(recipe(optimizer, epochs=2, **settings), tmp_path / "parts")
    rest.run()
    assert events[0]["step"] == 11
    expected = values(whole)
    assert "optimizer-0/scaled/dynamic_scale" in expected
    for name, value in values(rest).items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_two_trainings_of_one_seed_are_equal_and_of_another_differ(recipe: Make, start: Start, tmp_path: Path) -> None:
    loops = [start(recipe(seed=seed), tmp_path / str(n))[0] for n, seed in enumerate((1, 1, 2))]
    for loop in loops:
        loop.run()
    one, same, other = map(values, loops)
    assert all((one[name] == same[name]).all() for name in one)
    assert not (one["model/deep_0/kernel"] == other["model/deep_0/kernel"]).all()


def test_checkpoints_by_seconds_come_at_the_next_call(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(0, 10_000, 7))
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: next(ticks))
    start(recipe(checkpoint_every="10 seconds", keep_checkpoints=50, epochs=2), tmp_path)[0].run()
    found = positions(tmp_path)
    assert found[-1] == 22, "the end has one in any case"
    assert any(step % 11 for step in found), found
    last = checkpoints.complete(f"{tmp_path}/checkpoints")[-1]
    assert storage.read_text(f"{last}/position.json").startswith('{"step": 22, "epoch": 2, "legs": []')


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1), (2, 5)])
def test_another_number_of_workers_sees_the_rest_of_the_epoch(version: DatasetVersion, before: int, after: int) -> None:
    """11 steps of 30 rows: 330 rows in all. After 4 steps, whoever goes on sees the other 210, each once."""

    def rows(position: Position, workers: int, steps: int) -> list[int]:
        settings = {"global_batch": 30, "workers": workers, "seed": 1}
        sources = [ShardBatches(version, ["row"], worker=worker, **settings) for worker in range(workers)]
        found = [list(source.training(position).take(steps)) for source in sources]
        assert all(len(label) == 30 // workers for batches in found for _, label in batches)
        return [int(row) for batches in found for features, _ in batches for row in features["row"]]

    seen = rows(Position(11, 1), before, 4)
    position = Position(11, 1).after(4, before)
    assert position.legs == (Leg(before, 4),)
    rest = rows(position, after, 7)
    assert sorted(seen + rest) == list(range(330))


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_held_out_rows_count_once_whatever_the_number_of_workers(
    version: DatasetVersion, recipe: Make, start: Start, tmp_path: Path, workers: int
) -> None:
    """101 rows, which neither 2 nor 3 divides."""
    step = start(recipe(), tmp_path)[0].step
    sums, seen = step.empty_tally(), []
    for worker in range(workers):
        source = ShardBatches(version, ["a", "b", "row"], global_batch=30, worker=worker, workers=workers, seed=1)
        for features, label in source.evaluation():
            seen += [int(row) for row in features.pop("row")]
            sums += step.tally(features, label)
    assert sorted(seen) == list(range(101))
    features, label = next(
        iter(ShardBatches(version, ["a", "b"], global_batch=30, worker=0, workers=1, seed=1).evaluation())
    )
    score = 1 / (1 + np.exp(-step.model(features).numpy().astype(float)))
    expected = {"eval_loss": log_loss(label, score), "eval_accuracy": np.mean((score > 0.5) == (label.numpy() > 0.5))}
    found = step.task.held_out(sums)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert found["eval_auc"] == pytest.approx(roc_auc_score(label, score), abs=2e-3)


def test_the_best_epoch_is_kept_beside_the_last_and_becomes_the_model(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = iter([0.5, 0.3, 0.4, 0.3, 0.6, 0.2])
    chosen = recipe(epochs=6, best_metric="eval_loss", patience=3, keep_checkpoints=1)
    loop, events = start(chosen, tmp_path)
    monkeypatch.setattr(loop, "_evaluate", lambda: {"eval_loss": next(losses)})
    seen = []
    save = checkpoints.save

    def watched(folder: str, variables: dict[str, Any], position: Position, *more: Any) -> str:
        seen.append((position.step, variables["model/deep_0/kernel"]))
        return save(folder, variables, position, *more)

    monkeypatch.setattr(checkpoints, "save", watched)
    model = loop.run()
    assert [event["epoch"] for event in events if event["event"] == "epoch"] == [1, 2, 3, 4, 5], "epoch 6 never began"
    assert events[-1] == {"event": "best", "step": 22, "metrics": {"best_eval_loss": 0.3}}
    assert positions(tmp_path) == [22, 55]
    kernel = next(variable for variable in model.variables if variable.path == "deep_0/kernel")
    np.testing.assert_array_equal(np.array(kernel.value), dict(seen)[22])

    again, events = start(chosen, tmp_path)
    np.testing.assert_array_equal(np.array(again.run().variables[0].value), np.array(model.variables[0].value))
    assert [event["event"] for event in events] == ["start", "best"], "what was over stays over"


def test_a_best_metric_nobody_measures_is_refused(recipe: Make, start: Start, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"'eval_acc' is no metric of .* Did you mean .*'eval_accuracy'"):
        start(recipe(best_metric="eval_acc"), tmp_path)
    with pytest.raises(BadInputError, match=r"training\.patience=2 waits for a better metric"):
        recipe(patience=2)
    with pytest.raises(BadInputError, match="'5 minutes' is no interval"):
        recipe(checkpoint_every="5 minutes")


def test_a_full_disk_names_the_folder_and_leaves_the_checkpoints_before_whole(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = storage.write_bytes_atomic

    def full(uri: str, data: bytes) -> None:
        if "step-0000000022" in uri and "data-" in uri:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(uri, data)

    monkeypatch.setattr(storage, "write_bytes_atomic", full)
    loop, _ = start(recipe(), tmp_path)
    with pytest.raises(CheckpointError, match=rf"step 22 in {tmp_path}/checkpoints .* Free space"):
        loop.run()
    assert positions(tmp_path) == [11]
    assert not list(tmp_path.glob("checkpoints/step-0000000022/*"))
    monkeypatch.undo()
    again, events = start(recipe(), tmp_path)
    again.run()
    assert events[0]["step"] == 11
    assert positions(tmp_path) == [11, 22, 33]


def test_a_checkpoint_remembers_the_best(tmp_path: Path, recipe: Make, start: Start) -> None:
    loop, _ = start(recipe(), tmp_path)
    position = Position(5, 0, (Leg(1, 5),), Best(3, 0.5, 2))
    uri = checkpoints.save(str(tmp_path / "c"), loop.step.variables, position, keep=1)
    assert checkpoints.restore(uri, loop.step.variables) == position


def test_held_out_rows_are_made_ready_once(version: DatasetVersion) -> None:
    """Every epoch reads them anew, by the same graph."""
    source = ShardBatches(version, ["row"], global_batch=30, worker=1, workers=2, seed=1)
    passes = [[int(row) for features, _ in source.evaluation() for row in features["row"]] for _ in range(2)]
    assert passes[0] == passes[1]
    assert len(passes[0]) == 51, "of 101 rows the second worker's half"
    assert source.evaluation() is source.evaluation()
