"""A training that starts from an exported model has its weights, and its metrics, before the first step."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.saved_model.digest import ModelChangedError, model_digest, require_unchanged
from emberline.pipelines.training.checkpoint.initial_weights import read_weights
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop


@dataclasses.dataclass(frozen=True)
class Trained:
    """A network after an epoch, and its export."""

    recipe: Recipe
    version: DatasetVersion
    metrics: dict[str, float]
    model: Path
    digest: str


@pytest.fixture(scope="module")
def trained(recipe, start, version, tmp_path_factory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    chosen = recipe(epochs=1, average_decay=0.9)
    loop, events = start(chosen, folder / "training")
    network = loop.run()
    storage.write_text_atomic(version.features_uri, "{}")
    digest = export(chosen, version, network, str(folder / "model"))
    metrics = next(event["metrics"] for event in events if event["event"] == "epoch")
    return Trained(chosen, version, metrics, folder / "model", digest)


def loop_from(trained: Trained, recipe: Recipe, output: Path) -> tuple[Loop, list[dict]]:
    events: list[dict] = []
    strategy = tf.distribute.get_strategy()
    weights = str(trained.model / "variables")
    return Loop(recipe, trained.version, str(output), strategy, 0, events.append, weights=weights), events


def test_the_first_thing_told_is_the_older_models_metrics(trained: Trained, tmp_path: Path) -> None:
    loop, events = loop_from(trained, trained.recipe, tmp_path)
    loop.run()
    assert [event["event"] for event in events[:3]] == ["start", "warm start", "progress"]
    told = events[1]["metrics"]
    assert told == {name: pytest.approx(trained.metrics[name], abs=1e-6) for name in told}
    assert "eval_auc" in told


def test_weights_and_their_averages_are_those_that_were_exported(trained: Trained, tmp_path: Path) -> None:
    """The oracle: the SavedModel's own variables, restored by TensorFlow."""
    loop, _ = loop_from(trained, trained.recipe, tmp_path)
    saved = tf.saved_model.load(str(trained.model)).weights
    variables = loop.step.variables
    names = [name.removeprefix("average/") for name in variables if name.startswith("average/")]
    assert sorted(names) == sorted(read_weights(str(trained.model / "variables")))
    for name in names:
        for kind in ("model", "average"):
            np.testing.assert_array_equal(variables[f"{kind}/{name}"], saved[name], err_msg=f"{kind}/{name}")


def test_a_resumed_training_keeps_its_own_weights(trained: Trained, tmp_path: Path) -> None:
    loop, _ = loop_from(trained, trained.recipe, tmp_path)
    loop.run()
    again, events = loop_from(
        trained,
        dataclasses.replace(trained.recipe, training=dataclasses.replace(trained.recipe.training, epochs=2)),
        tmp_path,
    )
    again.run()
    assert (events[0]["step"], events[1]["event"]) == (11, "progress")


def test_another_network_is_refused_by_name(trained: Trained, recipe, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"deep_0/kernel is \[2, 8\] in the model and \[2, 5\] in the network"):
        loop_from(trained, recipe(hidden=(5,)), tmp_path)
    with pytest.raises(BadInputError, match=r"deep_1/bias is not there in the model and \[4\] in the network"):
        loop_from(trained, recipe(hidden=(8, 4)), tmp_path)


def test_any_changed_byte_of_a_model_is_noticed(trained: Trained, tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(trained.model, model)
    assert model_digest(model) == trained.digest
    require_unchanged(model, trained.digest, "it")
    for name in ("saved_model.pb", "variables/variables.data-00000-of-00001", "features.json"):
        before = (model / name).read_bytes()
        changed = bytearray(before)
        changed[len(changed) // 2] ^= 1
        (model / name).write_bytes(changed)
        with pytest.raises(ModelChangedError, match="The files of it are not those that were exported"):
            require_unchanged(model, trained.digest, "it")
        (model / name).write_bytes(before)
    (model / "variables" / "more").write_text("")
    with pytest.raises(ModelChangedError):
        require_unchanged(model, trained.digest, "it")
