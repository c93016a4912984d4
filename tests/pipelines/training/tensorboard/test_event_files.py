"""TensorBoard's own readers find what a training wrote."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from google.protobuf import text_format
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.util.tensor_util import make_ndarray

from emberline.features import storage
from emberline.features.columns import Embedding, Vocabulary
from emberline.features.errors import BadInputError
from emberline.features.statistics import FieldStatistics, Statistics, VocabularyFile
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.training.loop import Loop
from emberline.pipelines.training.tensorboard import event_files
from emberline.pipelines.training.tensorboard.event_files import Board
from emberline.pipelines.training.tensorboard.projector import words_of_tables

Make = Callable[..., Recipe]
Start = Callable[..., tuple[Loop, list[dict[str, Any]]]]


def test_scalars_histograms_graph_and_profile_are_there(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_files, "SECONDS_BETWEEN_SCALARS", 0.0)
    loop, events = start(recipe(profile_steps=(4, 8)), tmp_path)
    loop.run()
    found = EventAccumulator(str(tmp_path / "tensorboard"), {"tensors": 0}).Reload()
    tags = found.Tags()

    def points(tag: str) -> dict[int, float]:
        return {point.step: float(make_ndarray(point.tensor_proto)) for point in found.Tensors(tag)}

    calls = [event for event in events if event["event"] == "progress"]
    assert points("loss") == pytest.approx({event["step"]: event["loss"] for event in calls}, rel=1e-6)
    epochs = {event["step"]: event["metrics"] for event in events if event["event"] == "epoch"}
    for name in ("loss", "eval_auc", "examples_per_second", "input_wait"):
        expected = {step: metrics[name] for step, metrics in epochs.items()}
        assert points(f"epoch/{name}") == pytest.approx(expected, rel=1e-6)
    assert list(points("learning_rate/0").values()) == pytest.approx([0.02] * len(calls))
    assert tags["graph"]
    for variable in loop.step.model.trainable_variables:
        assert [point.step for point in found.Tensors(variable.path)] == [11, 22, 33]
    bins = make_ndarray(found.Tensors("deep_0/kernel")[-1].tensor_proto)
    assert bins[:, 2].sum() == 16, "every element is in a bin"
    assert list((tmp_path / "tensorboard").rglob("*.xplane.pb"))


def test_the_share_of_time_spent_waiting_for_rows_is_measured(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    import tensorflow as tf

    def slow(label: tf.Tensor) -> tf.Tensor:
        time.sleep(0.02)
        return label

    loop, events = start(recipe(epochs=2), tmp_path)
    training = loop.batches.training

    def delayed(position: Any) -> tf.data.Dataset:
        rows = training(position)
        if position.epoch == 0:
            return rows
        kind = tf.float32
        return rows.map(lambda features, label: (features, tf.ensure_shape(tf.py_function(slow, [label], kind), [30])))

    monkeypatch.setattr(loop.batches, "training", delayed)
    loop.run()
    first, second = (event["metrics"] for event in events if event["event"] == "epoch")
    assert 0 <= first["input_wait"] <= 1
    assert second["input_wait"] > 0.5, "11 steps of well below 20 ms each"


ONE_THREAD = """
import sys
import tensorflow as tf
from benchmarks.training_cnn import Rows, pictures, recipe, version
from emberline.pipelines.training.loop import Loop

events = []
rows = Rows(lambda epoch: pictures(64, 3), 3, pictures(8, 1), lambda: None)
Loop(recipe(1, 64, 2), version(), sys.argv[1], tf.distribute.get_strategy(), 0, events.append, rows).run()
print([event["metrics"]["input_wait"] for event in events if event["event"] == "epoch"][-1])
"""


def test_a_slow_network_does_not_wait_for_rows_even_with_one_thread(tmp_path: Path) -> None:
    """As in a container of one core, where TensorFlow runs one operation after another."""
    threads = {"TF_NUM_INTEROP_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", ONE_THREAD, str(tmp_path)]
    here = os.environ | threads | {"PYTHONPATH": str(Path(__file__).parents[4])}
    said = subprocess.run(command, env=here, capture_output=True, text=True, check=True, timeout=300).stdout
    assert float(said.split()[-1]) < 0.5, "the rows lie in memory"


def test_embedding_tables_are_what_the_projector_reads(tmp_path: Path, recipe: Make, start: Start) -> None:
    """Two words and an id for all others; the weights of a linear tower are no vectors."""
    column = Embedding(Vocabulary("town", words=("Graz", "Linz"), unseen_buckets=1), 3)
    step = start(recipe(), tmp_path)[0].step
    ids = keras.Input((), name="ids", dtype="int64")
    towns = keras.layers.Embedding(3, 3, name=f"deep_{column.name}")
    weights = keras.layers.Embedding(3, 1, name="wide_weights")
    step.model = keras.Model({"ids": ids}, [towns(ids), weights(ids)])
    shown = Board("memory:/board", step, words_of_tables([column], Statistics(0, ())))
    shown.graph()
    shown.epoch(1, {"loss": 0.5})
    shown.close()
    config = text_format.Parse(storage.read_text("memory:/board/projector_config.pbtxt"), ProjectorConfig())
    (entry,) = config.embeddings
    assert entry.tensor_name == towns.name
    rows = [line.split("\t") for line in storage.read_text(f"memory:/board/{entry.tensor_path}").splitlines()]
    np.testing.assert_allclose(np.array(rows, float), np.array(towns.embeddings.value), rtol=1e-5)
    assert storage.read_text(f"memory:/board/{entry.metadata_path}") == "Graz\nLinz\nunseen 0\n"
    assert any("tfevents" in file.uri for file in storage.list_files("memory:/board"))


def test_learned_words_come_without_their_counts(tmp_path: Path) -> None:
    (tmp_path / "town.txt").write_text("b\t9\na\t8\nc\t1\n")
    facts = FieldStatistics(18, 0, vocabulary=VocabularyFile("town.txt", 3, ((2, 2),)))
    statistics = Statistics(18, (), None, {"town": facts}, str(tmp_path))
    column = Embedding(Vocabulary("town", minimum_count=2), 4)
    assert words_of_tables([column], statistics) == {column.name: ["b", "a"]}


def test_nothing_is_written_when_nothing_is_wanted(recipe: Make, start: Start, tmp_path: Path) -> None:
    start(recipe(tensorboard=False, epochs=1), tmp_path)[0].run()
    assert not (tmp_path / "tensorboard").exists()
    with pytest.raises(BadInputError, match="expected a first and a later last step"):
        dataclasses.replace(recipe().training, profile_steps=(7,))


def test_a_training_goes_on_when_its_board_cannot_be_written(
    recipe: Make, start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Board, "epoch", full)
    loop, events = start(recipe(epochs=2), tmp_path)
    loop.run()
    notes = [event["text"] for event in events if event["event"] == "note"]
    assert notes == ["TensorBoard's files end here: [Errno 28] No space left on device"]
