"""Training with carried state: parts of rows come in order, a stop changes nothing, and a known language is learned."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Embedding, Vocabulary
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.models.text import language, recurrent
from emberline.pipelines.datasets.text import ptb
from emberline.pipelines.recipe import Recipe, Schedule, Training
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.training.checkpoint.position import Leg, Position
from emberline.pipelines.training.input.batches import BEGINS
from emberline.pipelines.training.loop import Loop
from emberline.pipelines.training.step.learning_rate import factor

MODEL = language.Config(Embedding(Vocabulary("text", many=True), 12), layers=1)


def passages(path: Path, words: int) -> list[str]:
    tokens = [word for line in path.read_text().splitlines() for word in (*line.split(), ptb.END)]
    return [" ".join(tokens[start : start + words + 1]) for start in range(0, len(tokens) - 1, words)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    folder = tmp_path_factory.mktemp("ptb")
    return folder, ptb.DATASET.generate(str(folder), seed=3).best["perplexity"]


def version_of(raw: Path, folder: Path, make: Callable[..., DatasetVersion], words: int, train: int) -> DatasetVersion:
    splits = {}
    for split, name, rows in (("train", "ptb.train.txt", train), ("eval", "ptb.valid.txt", 40)):
        texts = passages(raw / name, words)[:rows]
        splits[split] = {"text": texts, "words": [float(len(text.split())) for text in texts]}
    return make(folder, ptb.SCHEMA, MODEL.columns, splits)


@pytest.fixture(scope="module")
def short(
    raw: tuple[Path, float], tmp_path_factory: pytest.TempPathFactory, text_version: Callable[..., DatasetVersion]
) -> DatasetVersion:
    """50 rows of 41 words: six parts of seven, the last of which is short."""
    return version_of(raw[0], tmp_path_factory.mktemp("short"), text_version, 40, 50)


def recipe(**settings: Any) -> Recipe:
    base = load_recipe("ptb_small")
    given: dict[str, Any] = {"epochs": 2, "workers": 1, "tensorboard": False, "unroll": 7, "steps_per_call": 4}
    return replace(base, model=MODEL, training=replace(base.training, **given | settings))


def start(version: DatasetVersion, chosen: Recipe, folder: Path) -> tuple[Loop, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []

    def report(event: dict[str, Any]) -> None:
        events.append(event)
        if event["event"] == "progress" and event["step"] == 20 and folder.name == "cut" and events[0]["step"] == 0:
            raise KeyboardInterrupt("killed")

    return Loop(chosen, version, str(folder), tf.distribute.get_strategy(), 0, report), events


def test_the_parts_of_a_row_come_one_behind_the_other(short: DatasetVersion, tmp_path: Path) -> None:
    loop, _ = start(short, recipe(), tmp_path)
    assert loop.batches.steps_per_epoch == 2 * 6
    parts = [(features["text"].numpy(), features[BEGINS].numpy()) for features, _ in loop.batches.training(Position())]
    assert [bool(begins.all()) for _, begins in parts] == [True, *[False] * 5] * 2
    assert not any(begins.any() and not begins.all() for _, begins in parts)
    assert {part.shape for part, _ in parts} == {(20, 8)}
    for first, second in ((0, 1), (1, 2), (7, 8)):
        np.testing.assert_array_equal(parts[first][0][:, -1], parts[second][0][:, 0])
    rows = np.concatenate([part[:, :-1] for part, _ in parts[:6]] + [parts[5][0][:, -1:]], axis=1)
    assert ((rows[:, :41] >= 0).all(), (rows[:, 41:] == -2).all()) == (True, True)
    rest = list(loop.batches.training(Position(step=8, legs=(Leg(1, 8),))))
    assert len(rest) == 4
    np.testing.assert_array_equal(rest[0][0]["text"], parts[8][0])
    with pytest.raises(BadInputError, match="2 workers began is not ended by 1"):
        loop.batches.training(Position(step=8, legs=(Leg(2, 8),)))


def test_state_is_carried_through_a_row_and_no_further(short: DatasetVersion, tmp_path: Path) -> None:
    loop, _ = start(short, recipe(), tmp_path)
    step, states = loop.step, []
    assert step._carried
    weights = [weight.numpy() for weight in step.weights]
    for batch in loop.batches.training(Position()):
        before = {name: tf.constant(value.numpy()) for name, value in step._carried.variables.items()}
        whole = {name: tf.zeros_like(value) if batch[0][BEGINS][0] else value for name, value in before.items()}
        said = step._carried.network({"text": batch[0]["text"], **whole})
        step.replica_step(*batch)
        for name, value in step._carried.variables.items():
            np.testing.assert_allclose(value.numpy(), said[name], rtol=1e-4, atol=1e-6)
        states.append(before)
        for weight, old in zip(step.weights, weights, strict=True):
            weight.assign(old)
    assert not states[0]["state_0_h"].numpy().any()
    assert all(state["state_0_h"].numpy().any() for state in states[1:])


@pytest.mark.slow
def test_a_training_killed_within_rows_ends_as_an_undisturbed_one(short: DatasetVersion, tmp_path: Path) -> None:
    """12 steps per epoch, a checkpoint every 4; killed at 20, taken up at 16: inside the rows of a batch."""
    chosen = recipe(checkpoint_every="4 steps")
    whole, _ = start(short, chosen, tmp_path / "whole")
    whole.run()
    killed, _ = start(short, chosen, tmp_path / "cut")
    with pytest.raises(KeyboardInterrupt):
        killed.run()
    again, events = start(short, chosen, tmp_path / "cut")
    again.run()
    assert events[0]["step"] in (12, 16)
    expected = {name: np.array(value) for name, value in whole.step.variables.items()}
    assert "state_0_h" in expected
    for name, value in again.step.variables.items():
        np.testing.assert_array_equal(np.array(value), expected[name], err_msg=name)


def test_what_carries_no_state_is_refused(short: DatasetVersion, tmp_path: Path) -> None:
    model = recurrent.Config(MODEL.words)
    with pytest.raises(BadInputError, match="recurrent carries no state"):
        start(short, replace(recipe(), model=model), tmp_path)
    for setting in ({"mode": "async"}, {"input": "spark"}, {"accumulate": 2}, {"bucket_by": "text"}):
        with pytest.raises(BadInputError, match=f"which training.{next(iter(setting))}=.* does not allow"):
            recipe(**setting)


def test_the_rate_falls_by_epochs() -> None:
    """Four epochs at the full rate, then half as much with each: 13 epochs of 7 steps."""
    schedule = Schedule("epochs", factor=0.5, held=4)
    found = [float(factor(schedule, tf.constant(step), 13 * 7, 13)) for step in range(13 * 7)]
    assert found == [0.5 ** max(step // 7 + 1 - 4, 0) for step in range(13 * 7)]
    with pytest.raises(BadInputError, match="counts epochs alone"):
        Schedule("epochs", warmup_steps=3)


@pytest.mark.slow
def test_the_perplexity_of_a_known_language_is_nearly_reached(
    raw: tuple[Path, float], tmp_path: Path, text_version: Callable[..., DatasetVersion]
) -> None:
    version = version_of(raw[0], tmp_path / "version", text_version, 200, 1200)
    wider = language.Config(Embedding(Vocabulary("text", many=True), 64), layers=1)
    training = Training(
        (replace(load_recipe("ptb_small").training.optimizers[0], schedule=Schedule("epochs", factor=0.5, held=4)),),
        epochs=8, global_batch=20, workers=1, unroll=20, clip_norm=5, tensorboard=False,
    )  # fmt: skip
    loop, events = start(version, replace(recipe(), model=wider, training=training), tmp_path / "training")
    loop.run()
    found = [event["metrics"]["eval_perplexity"] for event in events if event["event"] == "epoch"]
    assert raw[1] * 0.97 < found[-1] < raw[1] * 1.05, (found, raw[1])
