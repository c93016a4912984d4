"""Texts trained on by two processes that sum their gradients, without Spark: both hold the same, also after a stop."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emberline.features.dataset_version import DatasetVersion
from emberline.pipelines.datasets.text import ptb, sentence_pairs, text8
from emberline.pipelines.recipes import load_recipe
from tests.two_ranks import run_two_ranks

pytestmark = pytest.mark.slow

RANK = """
import json, os, sys
import numpy as np
import tensorflow as tf
from emberline.features.dataset_version import DatasetVersion
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.training.loop import Loop
where, name, settings, output, rank = json.loads(sys.argv[1])
version = DatasetVersion(where["uri"], where["manifest"], where["features"])
events = []
wait_for_the_port()
strategy = tf.distribute.MultiWorkerMirroredStrategy()
loop = Loop(load_recipe(name, settings), version, output, strategy, rank, events.append)
loop.run()
values = {name: np.array(tf.convert_to_tensor(variable)).tolist() for name, variable in loop.step.variables.items()}
print(json.dumps([events, values]), flush=True)
sys.stdin.read()  # a rank that left now would break the other's collectives
os._exit(0)
"""

WORDS = [f"w{number}" for number in range(9)]
SMALL = {"training.global_batch": "10", "training.tensorboard": "false", "training.steps_per_call": "4"}


def passages(rows: int, words: int, seed: int) -> dict[str, list[Any]]:
    draw = np.random.default_rng(seed)
    texts = [" ".join(draw.choice(WORDS, words)) for _ in range(rows)]
    return {"text": texts, "words": [float(words)] * rows}


def pairs(rows: int, seed: int) -> dict[str, list[Any]]:
    draw = np.random.default_rng(seed)
    texts = [" ".join(draw.choice(WORDS, size)) for size in draw.integers(1, 9, rows)]
    return {"source": texts, "target": texts, "words": [float(len(text.split())) for text in texts]}


WINDOWS = {"model.words.dimension": "8", "training.unroll": "8"}
# A falling rate would fall otherwise in a training that ends after one epoch.
CONSTANT = {"training.optimizers.0.schedule.kind": "constant"}
PAIRS = {"model.units": "6", "model.longest": "5", "model.beams": "2"} | CONSTANT
CASES: dict[str, tuple[Any, Callable[[int, int], dict[str, list[Any]]], dict[str, str]]] = {
    "ptb_small": (
        ptb,
        lambda rows, seed: passages(rows, 30, seed),
        {"model.words.dimension": "8", "training.unroll": "8"},
    ),
    "word2vec": (text8, lambda rows, seed: passages(rows, 30, seed), {"model.words.dimension": "8"}),
    "translation": (sentence_pairs, pairs, PAIRS),
}


def both(version: DatasetVersion, name: str, settings: dict[str, str], output: Path) -> list[tuple[Any, Any]]:
    """Events and variables of both ranks."""
    where = {"uri": version.uri, "manifest": version.manifest, "features": version.features}
    arguments = [json.dumps([where, name, settings, str(output), rank]) for rank in range(2)]
    return [tuple(line) for line in run_two_ranks(RANK, arguments, output.with_suffix(".words"))]


@pytest.mark.parametrize("name", CASES)
def test_both_ranks_hold_the_same(name: str, tmp_path: Path, text_version: Callable[..., DatasetVersion]) -> None:
    dataset, rows, own = CASES[name]
    model = load_recipe(name).model
    splits = {"train": rows(64, 1), "eval": rows(13, 2)}
    version = text_version(tmp_path / "version", dataset.SCHEMA, model.columns, splits)
    settings = SMALL | own
    whole = both(version, name, settings | {"training.epochs": "2"}, tmp_path / "whole")
    differ = {key for key in whole[0][1] if whole[0][1][key] != whole[1][1][key]}
    assert differ == {key for key in whole[0][1] if key.startswith("state_")}, "only the rows' state is a rank's own"
    losses = [[event["metrics"]["eval_loss"] for event in events if event["event"] == "epoch"] for events, _ in whole]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 2
    both(version, name, settings | {"training.epochs": "1"}, tmp_path / "parts")
    again = both(version, name, settings | {"training.epochs": "2"}, tmp_path / "parts")
    for key, value in again[0][1].items():
        np.testing.assert_allclose(value, whole[0][1][key], rtol=1e-5, atol=1e-7, err_msg=key)
