"""The loop in two processes that sum their gradients, without Spark."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion
from emberline.pipelines.recipe import Optimizer, Recipe
from emberline.pipelines.training.loop import Loop
from tests.two_ranks import run_two_ranks

Make = Callable[..., Recipe]
Start = Callable[..., tuple[Loop, list[dict[str, Any]]]]

RANK = """
import json, os, sys
import numpy as np
import tensorflow as tf
from emberline.features.columns import Numeric
from emberline.features.dataset_version import DatasetVersion
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.loop import Loop
where, optimizer, settings, output, kill_at, rank = json.loads(sys.argv[1])
version = DatasetVersion(where["uri"], where["manifest"], where["features"])
training = Training((Optimizer(**optimizer),), global_batch=30, workers=2, **settings)
recipe = Recipe("any", "nowhere", "none", dnn.Config((Numeric("a"), Numeric("b")), (8,), dropout=0.1), training)
events = []
def report(event):
    events.append(event)
    if kill_at and event["event"] == "progress" and event["step"] >= kill_at:
        raise KeyboardInterrupt
wait_for_the_port()
strategy = tf.distribute.MultiWorkerMirroredStrategy()
loop, failure = Loop(recipe, version, output, strategy, rank, report), ""
try:
    loop.run()
except (Exception, KeyboardInterrupt) as error:
    failure = f"{type(error).__name__}: {error}"
values = {name: np.array(variable).tolist() for name, variable in loop.step.variables.items()}
print(json.dumps([events, values, failure]), flush=True)
sys.stdin.read()  # a rank that left now would break the other's collectives
os._exit(0)
"""


def two_workers(
    version: DatasetVersion,
    output: Path,
    settings: dict[str, Any],
    kill_at: int = 0,
    rate: float = 0.02,
    first_only: bool = False,
) -> list[tuple[list[dict[str, Any]], dict[str, Any], str]]:
    """Events, variables and last words of both ranks, or of the one that is done first."""
    where = {"uri": version.uri, "manifest": version.manifest, "features": version.features}
    optimizer = {"kind": "sgd", "learning_rate": rate}
    arguments = [json.dumps([where, optimizer, settings, str(output), kill_at, rank]) for rank in range(2)]
    said = run_two_ranks(RANK, arguments, output.with_suffix(".words"), first_only=first_only)
    return [tuple(line) for line in said]


SETTINGS = {"epochs": 2, "steps_per_call": 4, "checkpoint_every": "4 steps", "clip_norm": 0.5, "average_decay": 0.9}


def test_two_workers_agree_and_one_goes_on_where_they_were_ended(
    version: DatasetVersion, recipe: Make, start: Start, tmp_path: Path
) -> None:
    """Ended behind step 15, in the second epoch; one worker goes on from the checkpoint of step 12."""
    whole = two_workers(version, tmp_path / "whole", SETTINGS)
    ended = two_workers(version, tmp_path / "cut", SETTINGS, kill_at=15)
    assert whole[0][1] == whole[1][1], "both ranks hold the same, bit for bit"
    losses = [[event["loss"] for event in rank[0] if event["event"] == "progress"] for rank in (*whole, *ended)]
    assert losses[0] == losses[1] == losses[2] + losses[0][len(losses[2]) :], "and so do both trainings"
    one, events = start(recipe(Optimizer("sgd", learning_rate=0.02), **SETTINGS), tmp_path / "cut")
    one.run()
    assert (events[0]["step"], events[0]["epoch"]) == (12, 1)
    assert int(one.step.steps) == 22
    final = [event["metrics"]["eval_loss"] for event in (whole[0][0][-1], events[-1])]
    assert final[1] == pytest.approx(final[0], rel=0.02)
    np.testing.assert_allclose(one.step.weights[0], whole[0][1]["average/deep_0/kernel"], atol=0.02)


@pytest.mark.slow
def test_both_ranks_name_the_step_of_a_loss_that_is_no_number(version: DatasetVersion, tmp_path: Path) -> None:
    (_, _, said), (_, _, other) = two_workers(version, tmp_path / "out", {"epochs": 1, "steps_per_call": 6}, rate=1e38)
    assert said == other
    assert "is not finite. At step " in said
    assert "that are not finite: deep_" in said


@pytest.mark.slow
def test_the_rank_that_reads_a_damaged_shard_names_it_while_the_other_waits(
    version: DatasetVersion, tmp_path: Path
) -> None:
    """So the first error that the driver hears is the one that will not pass."""
    storage.copy_folder(version.uri, str(tmp_path / "version"))
    shard = next((tmp_path / "version" / "train").glob("part-1*"))
    content = shard.read_bytes()
    shard.write_bytes(content[:-100] + bytes(100))
    damaged = DatasetVersion(str(tmp_path / "version"), version.manifest, version.features)
    ((_, _, said),) = two_workers(damaged, tmp_path / "out", {"epochs": 1}, first_only=True)
    assert "BadInputError: A shard cannot be read: " in said
    assert str(shard) in said
