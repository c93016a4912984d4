"""Rows of different lengths in a training: what is padding is measured, and sorting them by length leaves little."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Embedding, Segments
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.tfrecord import buckets
from emberline.features.tokens import Tokens
from emberline.models.text import recurrent
from emberline.pipelines.preparation.shard_writer import at_ranks
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.input.batches import buckets_of
from emberline.pipelines.training.loop import Loop

SCHEMA = Schema((Field("text", "string", tokens=Tokens()),), Label("label", (("no",), ("yes",))), "row")
MODEL = recurrent.Config(Embedding(Segments("text"), 4), units=4, cell="gru")
BATCH = 20


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory, text_version: Callable[..., DatasetVersion]) -> DatasetVersion:
    """400 texts of 1 to some 60 words; the word `w0` says yes."""
    draw, splits = np.random.default_rng(3), {}
    for split, rows in (("train", 400), ("eval", 50)):
        lengths = 1 + draw.geometric(0.1, rows)
        words = [[f"w{number}" for number in draw.integers(0, 30, length)] for length in lengths]
        splits[split] = {"text": [" ".join(row) for row in words], "label": [float("w0" in row) for row in words]}
    return text_version(tmp_path_factory.mktemp("texts"), SCHEMA, MODEL.columns, splits)


@pytest.fixture(autouse=True)
def small_pools(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "POOL_BATCHES", 15)


def start(version: DatasetVersion, folder: Path, kill_at: int | None = None, **settings: Any) -> tuple[Loop, list[Any]]:
    given: dict[str, Any] = {
        "epochs": 2,
        "global_batch": BATCH,
        "workers": 1,
        "tensorboard": False,
        "steps_per_call": 5,
    }
    training = Training((Optimizer("adam", 0.01),), **given | settings)
    events: list[dict[str, Any]] = []

    def report(event: dict[str, Any]) -> None:
        events.append(event)
        if kill_at is not None and event["event"] == "progress" and event["step"] >= kill_at:
            raise KeyboardInterrupt("killed")

    recipe = Recipe("any", "nowhere", "none", MODEL, training)
    return Loop(recipe, version, str(folder), tf.distribute.get_strategy(), 0, report), events


def epochs(events: list[dict[str, Any]]) -> list[dict[str, float]]:
    return [event["metrics"] for event in events if event["event"] == "epoch"]


def test_padding_is_counted_and_sorting_leaves_little(texts: DatasetVersion, tmp_path: Path) -> None:
    loop, plain = start(texts, tmp_path / "plain")
    batches = list(loop.batches.training(Position()))
    counted = [float((batch["text"].numpy() == -2).sum()) for batch, _ in batches]
    sizes = [batch["text"].shape[0] * batch["text"].shape[1] for batch, _ in batches]
    loop.run()
    assert epochs(plain)[0]["padding"] == pytest.approx(sum(counted) / sum(sizes))
    sorted_by, found = start(texts, tmp_path / "sorted", bucket_by="text", buckets=8)
    sorted_by.run()
    assert epochs(plain)[0]["padding"] > 0.55
    assert max(metrics["padding"] for metrics in epochs(found)) < 0.33


@pytest.mark.slow
def test_a_sorted_training_killed_in_mid_epoch_ends_as_an_undisturbed_one(
    texts: DatasetVersion, tmp_path: Path
) -> None:
    """20 steps per epoch, a checkpoint every 3, killed in the second epoch."""
    settings = {"bucket_by": "text", "checkpoint_every": "3 steps"}
    whole, _ = start(texts, tmp_path / "whole", **settings)
    whole.run()
    killed, _ = start(texts, tmp_path / "cut", kill_at=29, **settings)
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    again, events = start(texts, tmp_path / "cut", **settings)
    again.run()
    assert events[0]["step"] == 27
    expected = {name: np.array(value) for name, value in whole.step.variables.items()}
    for name, value in again.step.variables.items():
        np.testing.assert_array_equal(np.array(value), expected[name], err_msg=name)


def test_boundaries_are_learned_or_given(texts: DatasetVersion) -> None:
    def training(**settings: Any) -> Training:
        return Training((Optimizer("adam", 0.01),), epochs=1, global_batch=BATCH, **settings)

    learned = buckets_of(training(bucket_by="text", buckets=4), ["text"], texts)
    assert learned
    assert learned.boundaries == buckets.boundaries_of(texts.split("train").lengths["text"], 4)
    given = buckets_of(training(bucket_by="text", bucket_boundaries=(5, 9)), ["text"], texts)
    assert given
    assert given.boundaries == (5, 9)
    assert buckets_of(training(), ["text"], texts) is None
    with pytest.raises(BadInputError, match=r"'txt' is no column of many values .*text"):
        buckets_of(training(bucket_by="txt"), ["text"], texts)
    with pytest.raises(BadInputError, match="do not rise"):
        training(bucket_by="text", bucket_boundaries=(5, 5))
    with pytest.raises(BadInputError, match="rows that Spark feeds"):
        training(bucket_by="text", input="spark")


def test_lengths_are_told_at_hundredths_of_their_ranks() -> None:
    lengths = np.sort(np.random.default_rng(2).geometric(0.05, 777))
    found = at_ranks(Counter(lengths.tolist()))
    assert len(found) == 101
    assert (found[0], found[-1]) == (lengths[0], lengths[-1])
    assert list(found[1:]) == [lengths[-(-777 * part // 100) - 1] for part in range(1, 101)]
