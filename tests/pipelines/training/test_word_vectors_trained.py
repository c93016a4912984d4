"""Vectors learned of made-up text: what the text was made of can be read from them; the same after a stop."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Embedding, Vocabulary
from emberline.features.dataset_version import FEATURES, DatasetVersion
from emberline.models.text import skip_gram
from emberline.pipelines.datasets.text import text8
from emberline.pipelines.recipe import Optimizer, Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.text.word_vectors import WordVectors
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop

WORDS = Embedding(Vocabulary("text", minimum_count=5, many=True), 24)


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory, text_version: Callable[..., DatasetVersion]) -> DatasetVersion:
    folder = tmp_path_factory.mktemp("text8")
    text8.DATASET.generate(str(folder / "raw"), seed=1)
    words = (folder / "raw" / "text").read_text().split()
    rows = [" ".join(words[start : start + 200]) for start in range(0, len(words), 200)]
    splits = {
        name: {"text": part, "words": [200.0] * len(part)} for name, part in (("train", rows[60:]), ("eval", rows[:60]))
    }
    model = skip_gram.Config(WORDS)
    found = text_version(folder, text8.SCHEMA, model.columns, splits)
    (folder / FEATURES).write_text("{}")
    return found


def recipe(loss: Any = "nce", **settings: Any) -> Recipe:
    base = load_recipe("word2vec")
    given: dict[str, Any] = {"epochs": 8, "global_batch": 8, "workers": 1, "tensorboard": False}
    optimizers = (Optimizer("adam", 0.01),)
    training = replace(base.training, **given | {"optimizers": optimizers} | settings)
    return replace(base, model=skip_gram.Config(WORDS, window=5, negatives=32, loss=loss), training=training)


def train(version: DatasetVersion, chosen: Recipe, folder: Path) -> tuple[Loop, list[dict[str, float]]]:
    events: list[dict[str, Any]] = []
    loop = Loop(chosen, version, str(folder), tf.distribute.get_strategy(), 0, events.append)
    loop.run()
    return loop, [event["metrics"] for event in events if event["event"] == "epoch"]


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["nce", "sampled_softmax"])
def test_analogies_of_the_text_are_solved(loss: str, version: DatasetVersion, tmp_path: Path) -> None:
    loop, epochs = train(version, recipe(loss), tmp_path)
    assert epochs[-1]["eval_loss"] < epochs[0]["eval_loss"]
    export(recipe(loss), version, loop.step.model, str(tmp_path / "model"))
    table = WordVectors.open(str(tmp_path / "model" / "vectors" / "text.parquet"))
    np.testing.assert_array_equal(np.load(tmp_path / "model" / "vectors" / "text.npy"), table.rows)
    questions = [
        (f"a{one}", f"b{one}", f"a{other}", f"b{other}")
        for one in range(text8.PAIRS)
        for other in range(text8.PAIRS)
        if one != other
    ]
    accuracy, asked = table.analogy_accuracy(questions)
    assert asked == len(questions)
    assert accuracy > 0.9
    assert table.nearest("a3", 1)[0][0][0] in "abt"


@pytest.mark.slow
def test_a_stopped_training_draws_the_same_pairs(version: DatasetVersion, tmp_path: Path) -> None:
    whole, _ = train(version, recipe(epochs=2, global_batch=200), tmp_path / "whole")
    train(version, recipe(epochs=1, global_batch=200), tmp_path / "parts")
    again, _ = train(version, recipe(epochs=2, global_batch=200), tmp_path / "parts")
    expected = {name: np.array(value) for name, value in whole.step.variables.items()}
    for name, value in again.step.variables.items():
        np.testing.assert_array_equal(np.array(value), expected[name], err_msg=name)
