"""Made-up reviews told apart nearly as well as anybody can who knows how they were made."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from emberline.features.dataset_version import DatasetVersion
from emberline.pipelines.datasets.text import reviews
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.training.loop import Loop

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "short"), [("sentiment_nbow", 0.05), ("sentiment_cnn", 0.15), ("sentiment_bilstm", 0.05)]
)
def test_opinions_are_told(
    name: str, short: float, tmp_path: Path, text_version: Callable[..., DatasetVersion]
) -> None:
    best = reviews.DATASET.generate(str(tmp_path / "raw"), seed=1).best
    splits: dict[str, dict[str, list[Any]]] = {}
    for split, folder in reviews.FOLDERS.items():
        files = sorted((tmp_path / "raw" / folder).glob("*/*.txt"), key=lambda file: int(file.stem))
        verdicts = [float(file.parent.name == "pos") for file in files]
        splits[split] = {"review": [file.read_text() for file in files], "opinion": verdicts}
    recipe = load_recipe(name)
    version = text_version(tmp_path / "version", reviews.SCHEMA, recipe.model.columns, splits)
    chosen = replace(recipe, training=replace(recipe.training, workers=1, tensorboard=False))
    events: list[dict[str, Any]] = []
    Loop(chosen, version, str(tmp_path / "out"), tf.distribute.get_strategy(), 0, events.append).run()
    metrics = [event["metrics"] for event in events if event["event"] == "epoch"]
    assert metrics[-1]["padding"] < 0.2
    # A convolution that keeps the best match of every 20 places does not add up what all words say.
    assert metrics[-1]["eval_auc"] > best["auc"] - short, (metrics[-1], best)
