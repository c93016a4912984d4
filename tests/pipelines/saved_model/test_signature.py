"""A signature says the same with its weights folded, and what has nothing to fold stays as it is."""

import gc
import inspect
import json
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import cardinalities, describe, sized
from emberline.features.dataset_version import DatasetVersion
from emberline.features.statistics import Statistics
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.saved_model import signature
from emberline.pipelines.saved_model.signature import CONVOLUTIONS, open_signature
from emberline.pipelines.training.export import export

ENCODED = ("serve_encoded", "serving_default")


def exported(home: Path, name: str, overrides: dict[str, str]) -> str:
    """The network with weights and averages that normalisation does not leave as they are."""
    recipe = load_recipe(name, overrides)
    schema = sized(recipe.stored_columns, load_dataset(recipe.dataset).schema)
    statistics = Statistics(0, (0,) * 10)
    features = {
        "schema": schema.to_json(),
        "columns": [describe(column) for column in recipe.stored_columns],
        "cardinalities": cardinalities(recipe.stored_columns, statistics),
        "statistics": statistics.to_json(),
    }
    (home / "features.json").write_text(json.dumps(features))
    network = recipe.model_module.build(recipe.model, {})
    draw = np.random.default_rng(1)
    weights = network.get_weights()
    network.set_weights([w + draw.uniform(0, 0.2, w.shape) if w.ndim == 1 else w for w in weights])
    export(recipe, DatasetVersion(str(home), {}, features), network, str(home / "model"))
    return str(home / "model")


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> str:
    size = {"model.depth": "8", "model.image.height": "8", "model.image.width": "8"}
    return exported(tmp_path_factory.mktemp("residual"), "cifar10_resnet", size)


def operations(call: Any) -> set[str]:
    """Of the graph that `call` closes over."""
    graph = inspect.getclosurevars(call).nonlocals["function"].graph.as_graph_def()
    return {node.op for function in graph.library.function for node in function.node_def} | {n.op for n in graph.node}


def test_normalisation_is_folded_and_the_answer_stays(residual: str) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (5, 8, 8, 3), np.uint8)
    expected = tf.saved_model.load(residual).signatures["serve_encoded"](image=tf.constant(pixels))
    name, spec, call = open_signature(residual, ENCODED)
    found = call({"image": tf.constant(pixels)})
    assert name == "serve_encoded"
    assert spec["image"].dtype == tf.uint8
    assert set(found) == set(expected)
    assert np.ptp(expected["probabilities"], axis=0).max() > 0.01, "the pictures differ"
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found["class"], expected["class"])
    assert operations(call) & CONVOLUTIONS
    assert not operations(call) & {"ReadVariableOp", "VarHandleOp"}


def test_files_are_decoded_as_before(residual: str) -> None:
    """The conditions that decide what is a file stay in the graph."""
    pixels = np.random.default_rng(3).integers(0, 256, (2, 8, 8, 3), np.uint8)
    files = [tf.io.encode_png(pixels[0]).numpy(), pixels[1].tobytes()]
    found = open_signature(residual, ("serving_default",)).call({"image": tf.constant(files)})
    expected = open_signature(residual, ("serve_transformed",)).call({"image": tf.constant(pixels)})
    np.testing.assert_allclose(found["probabilities"], expected["probabilities"], rtol=1e-5, atol=1e-6)


def test_variables_go_when_they_are_folded(residual: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, load = [], tf.saved_model.load

    def watched(folder: str) -> object:
        model = load(folder)
        seen.extend(weakref.ref(variable) for variable in model.signatures["serve_encoded"].variables)
        return model

    monkeypatch.setattr(tf.saved_model, "load", watched)
    folded = open_signature(residual, ENCODED)
    gc.collect()
    assert seen
    assert not any(variable() is not None for variable in seen)
    monkeypatch.setattr(signature, "MOST_BYTES", 1_000)
    kept = open_signature(residual, ENCODED)
    gc.collect()
    pixels = {"image": tf.zeros((1, 8, 8, 3), tf.uint8)}
    np.testing.assert_allclose(kept.call(pixels)["score"], folded.call(pixels)["score"], rtol=1e-5)
    assert any(variable() is not None for variable in seen), "too large to fold"


class Table(tf.Module):
    """Convolved and normalised words."""

    def __init__(self) -> None:
        super().__init__()
        entries = tf.lookup.KeyValueTensorInitializer(["a", "b"], [1.0, 2.0])
        self.table = tf.lookup.StaticHashTable(entries, 0.0)
        self.kernel = tf.Variable(tf.ones((1, 1, 1)))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "word")])
    def say(self, word: tf.Tensor) -> dict[str, tf.Tensor]:
        values = tf.nn.conv1d(self.table.lookup(word)[:, None, None], self.kernel, 1, "SAME")
        return {"score": tf.math.rsqrt(values)[:, 0, 0]}


def test_tables_stay_and_know_their_words(tmp_path: Path) -> None:
    model = Table()
    tf.saved_model.save(model, str(tmp_path), signatures={"serving_default": model.say})
    name, _, call = open_signature(str(tmp_path), ENCODED)
    gc.collect()
    assert name == "serving_default", "an older model"
    np.testing.assert_allclose(call({"word": tf.constant(["b", "a"])})["score"], [0.5**0.5, 1.0], rtol=1e-6)
