"""Tables by rows where several processes train: workers in step and one on a parameter server hold what one would."""

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from emberline.features.columns import Embedding, Identity, Numeric, describe
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.models.tabular import wide_deep
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.loop import Loop
from emberline.pipelines.training.step.training_step import TrainingStep
from tests.two_ranks import ROOT, run_two_ranks

IDS, ROWS, STEPS = 50, 24, 7

Event = dict[str, Any]

RANK = """
import json, os, sys
import tensorflow as tf
from tests.pipelines.training.test_tables_two_workers import outcome
rank, given = json.loads(sys.argv[1])
wait_for_the_port()
strategy = tf.distribute.MultiWorkerMirroredStrategy()
print(json.dumps(outcome(strategy, rank, 2, **given)), flush=True)
sys.stdin.read()
os._exit(0)
"""


class Drawn:
    """Steps of rows that are the same for any number of workers, each of which sees its share of them.

    Ids that both of two workers have in a step, that one has, and that none has; as many of them as rows in no step,
    and fewer rows in the last.

    Args:
        worker: This worker's number.
        workers: How many there are.
        scale: A number that two of the second worker's rows have in the third step; 1 for none.
        short: Whether the last step has half of the rows.
    """

    repeatable = True
    steps_per_epoch = STEPS

    def __init__(self, worker: int, workers: int, scale: float = 1.0, *, short: bool = True) -> None:
        draw = np.random.default_rng(5)
        self.steps: list[tuple[dict[str, np.ndarray], np.ndarray]] = []
        for number in range(STEPS):
            rows = ROWS // 2 if short and number == STEPS - 1 else ROWS
            share = slice(worker * rows // workers, (worker + 1) * rows // workers)
            ids = {name: draw.integers(0, 2 + 7 * number, rows) for name in ("word", "town")}
            ids["word"][: rows // 2] = number  # one worker's rows all have the same id
            x = draw.normal(size=rows).astype(np.float32)
            label = draw.integers(0, 2, rows).astype(np.float32)
            if number == 2 and scale != 1.0:
                x[-2:], label[-2:] = scale, (0, 1)  # one of which the network cannot guess
            self.steps.append(({name: values[share] for name, values in (ids | {"x": x}).items()}, label[share]))

    def training(self, position: Position) -> tf.data.Dataset:
        features = {"word": tf.int64, "town": tf.int64, "x": tf.float32}
        spec = {name: tf.TensorSpec([None], kind) for name, kind in features.items()}, tf.TensorSpec([None])
        left = self.steps[position.steps_into_epoch :]
        # Copies: TensorFlow writes into the arrays of a generator behind `rebatch`, by which devices share a batch.
        return tf.data.Dataset.from_generator(lambda: iter(copy.deepcopy(left)), output_signature=spec)

    def steps_ahead(self, position: Position, limit: int) -> int:
        return min(limit, STEPS - position.steps_into_epoch)

    def evaluation(self) -> tf.data.Dataset:
        return self.training(Position()).take(1)

    def explain(self, error: tf.errors.OpError) -> None:
        raise error


def version() -> DatasetVersion:
    word, town = Identity("word", IDS), Identity("town", IDS)
    fields = (Field("word", "integer"), Field("town", "integer"), Field("x", "number"))
    features = {
        "schema": Schema(fields, Label("label", (("0",), ("1",))), "row").to_json(),
        "columns": [describe(one) for one in (word, town, Numeric("x"))],
        "cardinalities": {"word": IDS, "town": IDS},
        "statistics": Statistics(ROWS, (12, 12)).to_json(),
    }
    return DatasetVersion("nowhere", {"splits": {}}, features)


def recipe_of(workers: int, optimizers: list[Event], **settings: Any) -> Recipe:
    """Three tables: one of width 1 in the linear tower, one of 4 and one of 3."""
    word, town = Identity("word", IDS), Identity("town", IDS)
    deep = (Embedding(word, 4), Embedding(town, 3), Numeric("x"))
    model = wide_deep.Config((word, town), deep, (8,), dropout=0.0)
    moved = tuple(Optimizer(**one) for one in optimizers)
    training = Training(
        moved,
        global_batch=ROWS,
        workers=workers,
        **({"epochs": 2, "steps_per_call": 4, "tensorboard": False} | settings),
    )
    return Recipe("any", "nowhere", "none", model, training)


def outcome(
    strategy: tf.distribute.Strategy,
    worker: int,
    workers: int,
    *,
    optimizers: list[Event],
    output: str,
    kill_at: int = 0,
    scale: float = 1.0,
    short: bool = True,
    **settings: Any,
) -> dict[str, Any]:
    """What a rank's loop says and holds at its end."""
    events: list[Event] = []

    def report(event: Event) -> None:
        events.append(event)
        if kill_at and event["event"] == "progress" and event["step"] >= kill_at:
            raise KeyboardInterrupt

    recipe = recipe_of(workers, optimizers, **settings)
    loop, failure = (
        Loop(recipe, version(), output, strategy, worker, report, Drawn(worker, workers, scale, short=short)),
        "",
    )
    try:
        loop.run()
    except (Exception, KeyboardInterrupt) as error:
        failure = f"{type(error).__name__}: {error}"
    return {
        "losses": [event["loss"] for event in events if event["event"] == "progress"],
        "values": values_of(loop.step),
        "tables": loop.step.tables_by_rows,
        "notes": [event["text"] for event in events if event["event"] == "note"],
        "failure": failure,
        "begun": events[0]["step"],
    }


def values_of(step: TrainingStep) -> dict[str, Any]:
    return {name: np.array(one).tolist() for name, one in step.variables.items()}


def both_ranks(folder: Path, failure: str = "", **given: Any) -> dict[str, Any]:
    """The outcome of two ranks, which must be the same bit for bit."""
    arguments = [json.dumps([rank, given | {"output": str(folder / "two")}]) for rank in (0, 1)]
    one, other = run_two_ranks(RANK, arguments, folder / "words")
    assert one == other
    assert failure in one["failure"] if failure else not one["failure"], one["failure"]
    return dict(one)


def alone(folder: Path, **given: Any) -> dict[str, Any]:
    return outcome(tf.distribute.get_strategy(), 0, 1, **({"output": str(folder / "one")} | given))


def same(found: dict[str, Any], wanted: dict[str, Any], loose: float = 1e-6) -> None:
    assert found["values"].keys() == wanted["values"].keys()
    for name, values in wanted["values"].items():
        np.testing.assert_allclose(found["values"][name], values, rtol=loose, atol=loose, err_msg=name)


THREE = [
    {"kind": "ftrl", "learning_rate": 0.1, "scope": "wide"},
    {"kind": "adagrad", "learning_rate": 0.1, "scope": "deep_word"},
    {"kind": "sgd", "learning_rate": 0.1},
]
"""Optimizers to which rows without a gradient are nothing."""

ADAM = [{"kind": "adam", "learning_rate": 0.01, "scope": "wide", "every": 2}, {"kind": "adam", "learning_rate": 0.01}]


def test_two_workers_hold_what_one_with_whole_tables_would(tmp_path: Path) -> None:
    given = {"optimizers": THREE}
    found = both_ranks(tmp_path, **given, tables="rows")
    assert len(found["tables"]) == 3
    assert found["notes"][0].endswith(
        "; with one id of each table in a row, a worker sends at most 1 x 12 x (1 x 24 + 1 x 20 + 1 x 12) bytes = "
        "0.7 kB a step, instead of 2 x 1 / 2 x 1.8 kB = 1.8 kB"
    )
    wanted = alone(tmp_path, **given, tables="dense")
    assert not wanted["tables"]
    np.testing.assert_allclose(found["losses"], wanted["losses"], rtol=1e-6)
    same(found, wanted)


def test_one_worker_goes_on_where_two_were_ended(tmp_path: Path) -> None:
    """Ended behind step 11 of 14, in the second epoch; the last checkpoint is that of step 8."""
    given = {
        "optimizers": [{"kind": "adagrad", "learning_rate": 0.1}],
        "clip_norm": 0.05, "accumulate": 2, "average_decay": 0.9, "checkpoint_every": "4 steps",
    }  # fmt: skip
    found = both_ranks(tmp_path, **given, tables="rows", kill_at=11, failure="KeyboardInterrupt")
    wanted = alone(tmp_path, **given, tables="dense")
    np.testing.assert_allclose(found["losses"], wanted["losses"][: len(found["losses"])], rtol=1e-6)
    finished = alone(tmp_path, **given, tables="rows", output=str(tmp_path / "two"))
    assert finished["begun"] == 8
    same(finished, wanted)


def test_a_gradient_that_is_not_finite_in_one_worker_leaves_the_step_out_in_both(tmp_path: Path) -> None:
    """Half precision ends at 65,504; the optimizer has a table, too."""
    given = {"optimizers": THREE, "precision": "mixed_float16", "scale": 1e3}
    found = both_ranks(tmp_path, **given, tables="rows")
    wanted = alone(tmp_path, **given, tables="dense")
    scales = [name for name in wanted["values"] if name.endswith("dynamic_scale")]
    assert len(scales) == 3
    for name in scales:
        assert found["values"][name] == wanted["values"][name]
    assert min(found["values"][name] for name in scales) < 2.0**15
    same(found, wanted, 2e-3)


def test_rows_of_adam_rest_in_two_workers_as_in_one(tmp_path: Path) -> None:
    given = {"optimizers": ADAM, "tables": "rows"}
    found, wanted = both_ranks(tmp_path, **given), alone(tmp_path, **given)
    np.testing.assert_allclose(found["losses"], wanted["losses"], rtol=1e-6)
    same(found, wanted)


def test_both_workers_name_what_was_not_finite_first(tmp_path: Path) -> None:
    given = {"optimizers": [{"kind": "sgd", "learning_rate": 1e38}], "tables": "rows"}
    found = both_ranks(tmp_path, **given, failure="is not finite. At step ")
    wanted = alone(tmp_path, **given)
    assert found["failure"] == wanted["failure"]
    assert "_embedding" in found["failure"]


def said(script: str, folder: Path, *given: Any) -> Any:
    """What a process prints as its last line."""
    words = folder / "words"
    with words.open("w") as errors:
        ended = subprocess.run(
            [sys.executable, "-c", script, *map(json.dumps, given)],
            stdout=subprocess.PIPE, stderr=errors, text=True, cwd=ROOT, timeout=240,
        )  # fmt: skip
    assert ended.returncode == 0, words.read_text()[-3000:]
    return json.loads(ended.stdout.splitlines()[-1])


SEVERAL_DEVICES = """
import json, sys
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.pipelines.training.test_tables_two_workers import outcome
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
print(json.dumps(outcome(strategy, 0, 1, **json.loads(sys.argv[1]))))
"""


def test_two_devices_of_one_process_hold_what_one_would(tmp_path: Path) -> None:
    given = {"optimizers": THREE, "short": False}
    found = said(SEVERAL_DEVICES, tmp_path, given | {"tables": "rows", "output": str(tmp_path / "two")})
    assert len(found["tables"]) == 3
    wanted = alone(tmp_path, **given, tables="dense")
    np.testing.assert_allclose(found["losses"], wanted["losses"], rtol=1e-6)
    same(found, wanted)


SERVED = """
import json
import tensorflow as tf
from emberline.pipelines.cluster.door import reserved_port
from tests.pipelines.training.test_tables_two_workers import STEPS, THREE, Drawn, recipe_of, values_of, version
from emberline.pipelines.training.step.training_step import TrainingStep
held = {job: reserved_port() for job in ("worker", "ps")}
spec = tf.train.ClusterSpec({job: [f"127.0.0.1:{port.getsockname()[1]}"] for job, port in held.items()})
servers = []
for job, port in held.items():
    port.close()
    servers.append(tf.distribute.Server(spec, job_name=job, task_index=0, protocol="grpc"))
resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(spec, rpc_layer="grpc")
strategy = tf.distribute.ParameterServerStrategy(resolver)
with strategy.scope():
    step = TrainingStep(recipe_of(1, THREE, mode="async", tables="rows"), version(), STEPS)
coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
@tf.function
def run(features, label):
    for optimizer in step.optimizers:
        optimizer.iterations.value.assign(tf.cast(step.steps, optimizer.iterations.value.dtype))
    return strategy.run(step.replica_step, args=(features, label))
losses = []
for x, y in Drawn(0, 1).steps:
    done = coordinator.schedule(run, args=({k: tf.constant(v) for k, v in x.items()}, tf.constant(y)))
    losses.append(float(done.fetch()))
places = sorted({weight.device.split("/job:")[1].split("/")[0] for weight in step.weights})
print(json.dumps([losses, values_of(step), places]), flush=True)
"""


def test_rows_move_on_a_parameter_server_as_whole_tables_do_here(tmp_path: Path) -> None:
    losses, values, places = said(SERVED, tmp_path)
    assert places == ["ps"]
    step = TrainingStep(recipe_of(1, THREE, tables="dense"), version(), STEPS)
    run = tf.function(step.replica_step)
    wanted = [float(run({k: tf.constant(v) for k, v in x.items()}, tf.constant(y))) for x, y in Drawn(0, 1).steps]
    np.testing.assert_allclose(losses, wanted, rtol=1e-6)
    for name, value in values_of(step).items():
        if not name.startswith("average/"):
            np.testing.assert_allclose(values[name], value, rtol=1e-5, atol=1e-6, err_msg=name)
