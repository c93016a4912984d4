"""Tables by rows against the same tables whole, under everything that a step can do with a gradient."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from emberline.features.columns import Embedding, Identity, Numeric, describe
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import Statistics
from emberline.models.tabular import wide_deep
from emberline.pipelines.recipe import Optimizer, Recipe, Schedule, Training
from emberline.pipelines.training.step.table_rows import moves_by_rows, summed
from emberline.pipelines.training.step.training_step import TrainingStep

IDS, ROWS, STEPS = 40, 32, 6
WORD, TOWN = Identity("word", IDS), Identity("town", IDS)
ADAGRAD = Optimizer("adagrad", 0.1)
WIDE, DEEP = Optimizer("ftrl", 0.1, scope="wide"), Optimizer("sgd", 0.1)
BOTH = (WIDE, DEEP)


@pytest.fixture(scope="module")
def version() -> DatasetVersion:
    fields = (Field("word", "integer"), Field("town", "integer"), Field("x", "number"))
    schema = Schema(fields, Label("label", (("0",), ("1",))), "row")
    features = {
        "schema": schema.to_json(),
        "columns": [describe(one) for one in (WORD, TOWN, Numeric("x"))],
        "cardinalities": {"word": IDS, "town": IDS},
        "statistics": Statistics(ROWS, (16, 16)).to_json(),
    }
    return DatasetVersion("nowhere", {"splits": {}}, features)


def step_of(version: DatasetVersion, *optimizers: Optimizer, **training: Any) -> TrainingStep:
    # Two columns share a table, another has one of another width.
    deep = (
        Embedding(WORD, 4, table="shared"),
        Embedding(TOWN, 4, table="shared"),
        Embedding(replace(TOWN), 3),
        Numeric("x"),
    )
    model = wide_deep.Config((WORD, TOWN), deep, (8,), dropout=0.0)
    declared = Training(optimizers, epochs=1, global_batch=ROWS, workers=1, **training)
    return TrainingStep(Recipe("any", "nowhere", "none", model, declared), version, STEPS)


def batches(scale: float = 1.0) -> list[Any]:
    """Many ids in some batches only, none in others, and the one without a place now and then."""
    draw = np.random.default_rng(3)
    found = []
    for number in range(STEPS):
        few = draw.choice(IDS, 6, replace=False)
        ids = {name: np.append(draw.choice(few, ROWS - 1), -1) for name in ("word", "town")}
        x = draw.normal(size=ROWS).astype(np.float32) * (scale if number == 2 else 1.0)
        found.append((ids | {"x": x}, draw.integers(0, 2, ROWS).astype(np.float32)))
    return found


def trained(step: TrainingStep, data: list[Any]) -> list[float]:
    run = tf.function(step.replica_step)
    return [float(run({k: tf.constant(v) for k, v in features.items()}, tf.constant(y))) for features, y in data]


SETTINGS: dict[str, tuple[tuple[Optimizer, ...], dict[str, Any]]] = {
    "plain": ((ADAGRAD,), {}),
    "rowwise": ((Optimizer("rowwise_adagrad", 0.1),), {}),
    "two optimizers": (BOTH, {}),
    "clipped": ((ADAGRAD,), {"clip_norm": 0.05, "clip_value": 0.01}),
    "in slices": ((ADAGRAD,), {"accumulate": 4}),
    "averages": (BOTH, {"average_decay": 0.9}),
    "in slices, clipped, with averages": ((ADAGRAD,), {"accumulate": 2, "clip_norm": 0.05, "average_decay": 0.5}),
    "schedule": ((replace(ADAGRAD, schedule=Schedule("exponential", steps=2, factor=0.5)),), {}),
    "penalties": ((replace(WIDE, l1=0.01, l2=0.1), replace(DEEP, l1=0.01, l2=0.1)), {}),
    "every other step": ((replace(WIDE, every=2), replace(DEEP, every=3)), {}),
    "compiled": ((ADAGRAD,), {"jit_compile": True}),
    "half precision": ((ADAGRAD,), {"precision": "mixed_bfloat16"}),
    "scaled loss": ((ADAGRAD,), {"precision": "mixed_float16"}),
    "scaled loss, two optimizers": (BOTH, {"precision": "mixed_float16"}),
}


@pytest.mark.parametrize(("optimizers", "training"), SETTINGS.values(), ids=SETTINGS)
def test_rows_move_as_whole_tables_do(
    version: DatasetVersion, optimizers: tuple[Optimizer, ...], training: dict[str, Any]
) -> None:
    dense = step_of(version, *optimizers, tables="dense", **training)
    rows = step_of(version, *optimizers, tables="rows", **training)
    assert not dense.tables_by_rows
    # An optimizer whose loss is scaled keeps the tables if it has nothing else.
    assert len(rows.tables_by_rows) == (2 if training.get("precision") == "mixed_float16" and optimizers == BOTH else 3)
    loose = 1e-6 if not training.keys() & {"precision", "jit_compile"} else 2e-3
    np.testing.assert_allclose(trained(rows, batches()), trained(dense, batches()), rtol=loose, atol=loose)
    assert rows.variables.keys() == dense.variables.keys(), "a checkpoint of either is one of the other"
    for name, variable in dense.variables.items():
        if not name.startswith("average/"):
            _same(rows.variables[name], variable, loose, name)
    with dense.averaged(), rows.averaged():
        for weight, found, wanted in zip(dense.model.trainable_variables, rows.weights, dense.weights, strict=True):
            _same(found, wanted, loose, weight.path)


def _same(found: tf.Variable, wanted: tf.Variable, loose: float, name: str) -> None:
    np.testing.assert_allclose(found.numpy(), wanted.numpy(), rtol=loose, atol=loose, err_msg=name)


def test_no_table_is_read_whole_where_replicas_have_copies(version: DatasetVersion) -> None:
    """By a step, and by what the loop reads behind it: such a reading copies the table."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])  # one replica, and the variables of several
    with strategy.scope():
        step = step_of(version, ADAGRAD, tables="rows", average_decay=0.9)
    assert len(step.tables_by_rows) == 3

    @tf.function
    def run(features: Any, label: tf.Tensor) -> Any:
        return strategy.run(step.replica_step, args=(features, label)), step.glimpse()

    features, label = batches()[0]
    traced = run.get_concrete_function({k: tf.constant(v) for k, v in features.items()}, tf.constant(label))
    graph = traced.graph.as_graph_def(add_shapes=True)
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    shapes = [node.attr["_output_shapes"].list.shape[0] for node in nodes if node.op == "ReadVariableOp"]
    read = [[one.size for one in shape.dim] for shape in shapes]
    assert [8] in read, "the bias of the dense layer"
    assert not [shape for shape in read if shape and shape[0] >= IDS]


@pytest.mark.parametrize(("first", "second"), [("rows", "dense"), ("dense", "rows"), ("rows", "rows")])
def test_a_checkpoint_is_continued_with_tables_of_the_other_kind(
    version: DatasetVersion, first: Any, second: Any
) -> None:
    """As another `training.tables` does, or several GPUs, which keep tables whole."""
    whole, begun, continued = (step_of(version, *BOTH, tables=t, average_decay=0.9) for t in ("dense", first, second))
    trained(whole, batches())
    trained(begun, batches()[:3])
    begun.averages.catch_up()
    for name, variable in continued.variables.items():
        variable.assign(begun.variables[name])
    trained(continued, batches()[3:])
    with whole.averaged(), continued.averaged():
        for weight, found, wanted in zip(
            whole.model.trainable_variables, continued.weights, whole.weights, strict=True
        ):
            _same(found, wanted, 1e-6, weight.path)


def test_an_overflow_leaves_rows_and_their_averages_alone(version: DatasetVersion) -> None:
    """Half precision ends at 65,504: the third batch has larger numbers, and its step is left out."""
    step = step_of(version, ADAGRAD, tables="rows", precision="mixed_float16")
    data = batches(scale=1e6)
    trained(step, data[:2])
    before = [weight.numpy() for weight in step.weights]
    trained(step, data[2:3])
    for found, wanted in zip(step.weights, before, strict=True):
        np.testing.assert_array_equal(found.numpy(), wanted)
    trained(step, data[3:])
    assert any((found.numpy() != wanted).any() for found, wanted in zip(step.weights, before, strict=True))


def test_adam_lets_rows_rest(version: DatasetVersion) -> None:
    """A row that a batch does not have stays where it is, with all that Adam remembers of it."""
    step = step_of(version, Optimizer("adam", 0.1), tables="rows")
    first, second = batches()[:2]
    trained(step, [first])
    table = next(weight for weight in step.model.trainable_variables if "shared" in weight.path)
    before = {name: np.array(one) for name, one in step.variables.items() if "shared" in name}
    assert len(before) == 3, "table, momentum and velocity"
    trained(step, [second])
    came = np.unique(np.maximum(np.concatenate([second[0]["word"], second[0]["town"]]), 0))
    rested = np.setdiff1d(np.arange(IDS), came)
    for name, values in before.items():
        np.testing.assert_array_equal(np.array(step.variables[name])[rested], values[rested], err_msg=name)
    assert (np.array(table.value)[came] != before["model/" + table.path][came]).any()


@pytest.mark.parametrize(
    ("kind", "more", "rows", "by_rows"),
    [
        ("adagrad", {}, 8 * ROWS, True),
        ("adagrad", {}, 8 * ROWS - 1, False),
        ("sgd", {"momentum": 0.9}, 8 * ROWS, False),
        ("sgd", {"weight_decay": 0.1}, 8 * ROWS, False),
        ("sgd", {"settings": {"momentum": 0.9}}, 1_000_000, True),
        ("adam", {}, 999_999, False),
        ("adam", {}, 1_000_000, True),
        ("lamb", {}, 1_000_000, False),
        ("muon", {}, 1_000_000, False),
        ("nadam", {}, 1_000_000, False),
    ],
)
def test_auto_takes_what_is_large(kind: str, more: dict[str, Any], rows: int, by_rows: bool) -> None:
    declared = Optimizer(kind, 0.1, **more)
    training = Training((declared,), epochs=1, global_batch=ROWS, workers=1)
    assert moves_by_rows(training, declared, rows) is by_rows
    assert moves_by_rows(replace(training, tables="dense"), declared, rows) is False
    assert moves_by_rows(replace(training, tables="rows"), declared, rows) is (kind not in ("lamb", "muon", "nadam"))


def test_a_sentence_says_which_tables_and_what_differs(version: DatasetVersion) -> None:
    assert step_of(version, ADAGRAD).about_tables() == ""
    same = step_of(version, *BOTH, tables="rows").about_tables()
    assert same == (
        "ftrl moves wide_weights (81 rows) by the rows of a batch; "
        "sgd moves deep_shared, deep_town_embedding (80 rows) by the rows of a batch"
    )
    other = step_of(version, Optimizer("adam", 0.1), tables="rows").about_tables()
    assert other.endswith("(161 rows) by the rows of a batch; rows that a batch does not have rest")


@given(
    st.lists(st.integers(0, 5), max_size=30).flatmap(
        lambda ids: st.tuples(st.just(ids), st.lists(st.integers(-100, 100), min_size=len(ids), max_size=len(ids)))
    )
)
def test_repeated_rows_are_summed(drawn: tuple[list[int], list[int]]) -> None:
    ids, values = drawn
    gradient = tf.IndexedSlices(
        tf.reshape(tf.constant(values, tf.float32), [-1, 1]), tf.constant(ids, tf.int64), tf.constant([6, 1])
    )
    found = summed(gradient)
    assert sorted(found.indices.numpy()) == sorted(set(ids))
    wanted = np.zeros(6)
    np.add.at(wanted, ids, values)
    np.testing.assert_array_equal(tf.convert_to_tensor(found).numpy()[:, 0], wanted)
