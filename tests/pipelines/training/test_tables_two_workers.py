"""Tables by rows on a parameter server; of workers in step, which keep them whole, both hold what one would."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Embedding, Identity, Numeric, describe
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.models.tabular import wide_deep
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.step.training_step import TrainingStep
from tests.two_ranks import ROOT, run_two_ranks

IDS, ROWS, STEPS = 50, 24, 5

RANK = """
import json, os, sys
import tensorflow as tf
from tests.pipelines.training.test_tables_two_workers import batches, step_of, values_of
rank, settings = json.loads(sys.argv[1])
wait_for_the_port()
strategy = tf.distribute.MultiWorkerMirroredStrategy()
with strategy.scope():
    step = step_of(2, **settings)
@tf.function
def run(features, label):
    return strategy.run(step.replica_step, args=(features, label))
half = slice(rank * 12, rank * 12 + 12)
losses = [float(run({k: tf.constant(v[half]) for k, v in x.items()}, tf.constant(y[half]))) for x, y in batches()]
with step.averaged():
    averages = [one.numpy().tolist() for one in step.weights]
print(json.dumps([losses, values_of(step), averages, step.tables_by_rows]), flush=True)
sys.stdin.read()
os._exit(0)
"""


def step_of(workers: int, **settings: Any) -> TrainingStep:
    word, town = Identity("word", IDS), Identity("town", IDS)
    fields = (Field("word", "integer"), Field("town", "integer"), Field("x", "number"))
    features = {
        "schema": Schema(fields, Label("label", (("0",), ("1",))), "row").to_json(),
        "columns": [describe(one) for one in (word, town, Numeric("x"))],
        "cardinalities": {"word": IDS, "town": IDS},
        "statistics": Statistics(ROWS, (12, 12)).to_json(),
    }
    deep = (Embedding(word, 4), Embedding(town, 3), Numeric("x"))
    model = wide_deep.Config((word, town), deep, (8,), dropout=0.0)
    optimizers = (Optimizer("ftrl", 0.1, scope="wide"), Optimizer("adagrad", 0.1))
    training = Training(optimizers, epochs=1, global_batch=ROWS, workers=workers, average_decay=0.9, **settings)
    recipe = Recipe("any", "nowhere", "none", model, training)
    return TrainingStep(recipe, DatasetVersion("nowhere", {"splits": {}}, features), STEPS)


def batches() -> list[tuple[dict[str, np.ndarray], np.ndarray]]:
    """Ids that both workers have in a step, that one has, and that none has; as many of them as rows in no step."""
    draw = np.random.default_rng(5)
    found = []
    for number in range(STEPS):
        ids = {name: draw.integers(0, 2 + 10 * number, ROWS) for name in ("word", "town")}
        ids["word"][:12] = number  # one worker's rows all have the same id
        x = draw.normal(size=ROWS).astype(np.float32)
        found.append((ids | {"x": x}, draw.integers(0, 2, ROWS).astype(np.float32)))
    return found


def values_of(step: TrainingStep) -> dict[str, Any]:
    return {name: np.array(one).tolist() for name, one in step.variables.items()}


@pytest.mark.parametrize("settings", [{}, {"clip_norm": 0.05, "accumulate": 2}], ids=["plain", "clipped, in slices"])
def test_two_workers_hold_what_one_would(tmp_path: Path, settings: dict[str, Any]) -> None:
    """One process, with its tables whole, is the reference."""
    given = settings | {"tables": "rows"}
    one, other = run_two_ranks(RANK, [json.dumps([rank, given]) for rank in (0, 1)], tmp_path / "words")
    assert one == other, "bit for bit"
    assert one[3] == []
    step = step_of(1, tables="dense", **settings)
    run = tf.function(step.replica_step)
    losses = [float(run({k: tf.constant(v) for k, v in x.items()}, tf.constant(y))) for x, y in batches()]
    np.testing.assert_allclose(one[0], losses, rtol=1e-6)
    for name, wanted in values_of(step).items():
        if not name.startswith("average/"):
            np.testing.assert_allclose(one[1][name], wanted, rtol=1e-5, atol=1e-6, err_msg=name)
    with step.averaged():
        for found, weight in zip(one[2], step.weights, strict=True):
            np.testing.assert_allclose(found, weight.numpy(), rtol=1e-5, atol=1e-6)


SERVED = """
import json
import tensorflow as tf
from emberline.pipelines.cluster.door import reserved_port
from tests.pipelines.training.test_tables_two_workers import ROWS, batches, step_of, values_of
held = {job: reserved_port() for job in ("worker", "ps")}
spec = tf.train.ClusterSpec({job: [f"127.0.0.1:{port.getsockname()[1]}"] for job, port in held.items()})
servers = []
for job, port in held.items():
    port.close()
    servers.append(tf.distribute.Server(spec, job_name=job, task_index=0, protocol="grpc"))
resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(spec, rpc_layer="grpc")
strategy = tf.distribute.ParameterServerStrategy(resolver)
with strategy.scope():
    step = step_of(1, mode="async", tables="rows")
coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
@tf.function
def run(features, label):
    for optimizer in step.optimizers:
        optimizer.iterations.value.assign(tf.cast(step.steps, optimizer.iterations.value.dtype))
    return strategy.run(step.replica_step, args=(features, label))
losses = []
for x, y in batches():
    done = coordinator.schedule(run, args=({k: tf.constant(v) for k, v in x.items()}, tf.constant(y)))
    losses.append(float(done.fetch()))
places = sorted({weight.device.split("/job:")[1].split("/")[0] for weight in step.weights})
print(json.dumps([losses, values_of(step), places]), flush=True)
"""


def said(script: str, words: Path) -> list[Any]:
    """What a process prints as its last line."""
    with words.open("w") as errors:
        ended = subprocess.run(
            [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, timeout=240
        )
    assert ended.returncode == 0, words.read_text()[-3000:]
    found: list[Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def test_rows_move_on_a_parameter_server_as_whole_tables_do_here(tmp_path: Path) -> None:
    losses, values, places = said(SERVED, tmp_path / "words")
    assert places == ["ps"]
    step = step_of(1, tables="dense")
    run = tf.function(step.replica_step)
    wanted = [float(run({k: tf.constant(v) for k, v in x.items()}, tf.constant(y))) for x, y in batches()]
    np.testing.assert_allclose(losses, wanted, rtol=1e-6)
    for name, value in values_of(step).items():
        if not name.startswith("average/"):
            np.testing.assert_allclose(values[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
