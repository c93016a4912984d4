"""One contract for networks that listen: they train a step, and what is exported reads files and says the same."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features.columns import Spectrum, arrow_schema, describe, stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.sounds.wav import wav_bytes
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.tfrecord.layouts import write_shard
from emberline.features.tfrecord.manifest import ShardSet
from emberline.features.transform import TransformGraph
from emberline.models.audio import convolutional, recurrent
from emberline.models.audio.sound_input import Disturbed
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop

SHORT = Spectrum("sound", 8000, 256, 128, mels=20, frames=8)
CONFIGS: dict[str, Any] = {
    "recurrent": recurrent.Config(SHORT, units=8, input_dropout=0.1, outputs=3),
    "recurrent over frames": recurrent.Config(replace(SHORT, coefficients=10), "frames", 8, outputs=3),
    "convolutional": convolutional.Config(SHORT, "noise", shift=100, outputs=3),
    "low latency": convolutional.Config(SHORT, "", "low_latency", outputs=3),
}
QUICK = ("recurrent", "convolutional")
LABEL = Label("word", (("low",), ("middle",), ("high",)))
DRAW = np.random.default_rng(1)


def tone(kind: int) -> bytes:
    return wav_bytes(0.3 * np.sin(np.arange(DRAW.integers(600, 1500)) * (0.05, 0.4, 1.2)[kind]), 8000)


def version_of(config: Any, folder: Path) -> tuple[DatasetVersion, list[bytes]]:
    """32 tones to train on and 16 held out."""
    columns = stored(config.columns)
    names = sorted({field for column in columns for field in column.fields})
    schema = Schema(tuple(Field(name, "sound") for name in names), LABEL, "row")
    files = [tone(row % 3) for row in range(48)]
    statistics = Statistics(48, (16, 16, 16), None, {name: FieldStatistics(48, 0) for name in names}, str(folder))
    graph = TransformGraph(schema, columns, statistics)
    made = graph({name: tf.constant(files) for name in names})
    stored_schema = arrow_schema(columns).append(pa.field("word", pa.float32())).append(pa.field("row", pa.string()))
    values = [
        pa.FixedSizeListArray.from_arrays(pa.array(made[column.name].numpy().ravel()), column.stored_shape[0])
        for column in columns
    ]
    labels = pa.array([float(row % 3) for row in range(48)], pa.float32())
    keys = pa.array([str(row) for row in range(48)])
    table = pa.RecordBatch.from_arrays([*values, labels, keys], schema=stored_schema)
    splits = {}
    for split, part in (("train", table.slice(0, 32)), ("eval", table.slice(32))):
        shard = write_shard(f"{folder}/{split}/part-0", [part], schema=stored_schema, layout="block", rows_per_block=16)
        splits[split] = ShardSet(stored_schema, "block", None, 16, (shard,)).to_json()
    features = {
        "schema": schema.to_json(),
        "columns": [describe(column) for column in columns],
        "cardinalities": {},
        "statistics": statistics.to_json(),
    }
    version = DatasetVersion(str(folder), {"splits": splits}, features)
    Path(version.features_uri).write_text(json.dumps(features))
    return version, files[32:]


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in CONFIGS]
)
def test_it_trains_and_reads_files(name: str, tmp_path: Path) -> None:
    config = CONFIGS[name]
    version, files = version_of(config, tmp_path)
    training = Training((Optimizer("adam", 0.01),), epochs=1, global_batch=32, workers=1, tensorboard=False)
    recipe = Recipe("any", "nowhere", "none", config, training)
    events: list[dict[str, Any]] = []
    loop = Loop(recipe, version, str(tmp_path), tf.distribute.get_strategy(), 0, events.append)
    before = [weight.numpy() for weight in loop.step.weights]
    model = loop.run()
    assert all(not np.array_equal(old, new.numpy()) for old, new in zip(before, loop.step.weights, strict=True))
    epoch = next(event for event in events if event["event"] == "epoch")
    assert all(np.isfinite(value) for value in epoch["metrics"].values())
    export(recipe, version, model, str(tmp_path / "model"))
    signatures = tf.saved_model.load(str(tmp_path / "model")).signatures
    assert list(signatures["serving_default"].structured_input_signature[1]) == ["sound"]
    said = signatures["serving_default"](sound=tf.constant(files))["probabilities"].numpy()
    features, *_ = next(iter(loop.batches.evaluation()))
    here = loop.step.predict(features)["probabilities"].numpy()
    np.testing.assert_allclose(np.sort(said, axis=0), np.sort(here, axis=0), rtol=1e-4, atol=1e-5)


def test_every_network_is_here() -> None:
    import emberline.models.audio

    root = Path(next(iter(emberline.models.audio.__path__)))
    modules = {file.stem for file in root.glob("*.py") if "class Config" in file.read_text()}
    assert modules == {type(config).__module__.rpartition(".")[2] for config in CONFIGS.values()}


def test_sounds_are_moved_and_mixed_in_training_alone() -> None:
    sounds = np.zeros((400, 50), np.float32)
    sounds[:, 20:30] = 0.5
    noise = np.full((400, 50), 0.25, np.float32)
    layer = Disturbed(10, 0.4, 0.7)
    np.testing.assert_array_equal(layer(sounds, noise), sounds)
    mixed = np.asarray(layer(sounds, noise, training=True))
    background = mixed.min(axis=1)
    assert 0.6 < np.mean(background > 0) < 0.8
    assert background.max() <= 0.1 + 1e-6
    begins = np.argmax(mixed > 0.45, axis=1)
    assert (begins.min(), begins.max()) == (10, 30)
    loud = Disturbed(0, 100.0, 1.0)(sounds, noise, training=True)
    assert np.asarray(loud).max() == 1.0
    np.testing.assert_array_equal(Disturbed(0, 0.4, 0.7)(sounds, None, training=True), sounds)


def test_noise_comes_from_other_rows() -> None:
    noise = np.repeat(np.arange(1.0, 101.0, dtype=np.float32)[:, np.newaxis] / 200, 4, axis=1)
    mixed = np.asarray(Disturbed(0, 1.0, 1.0)(np.zeros_like(noise), noise, training=True))
    assert np.mean(mixed[:, 0] <= noise[:, 0] + 1e-6) < 0.95
