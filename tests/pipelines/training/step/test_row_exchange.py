"""Rows of tables between two replicas, in the turns of one graph call: any numbers of them, and none."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from emberline.pipelines.training.step.row_exchange import Alike, RowExchange, can_exchange
from emberline.pipelines.training.step.table_rows import summed

ROOT = Path(__file__).parents[4]
SIZES = {1: (5000, 4), 3: (70, 2), 4: (9000, 4)}
"""Rows and width of tables, by their place."""

BATCH = 1000
COUNTS = [
    [[0, 0, 0], [0, 0, 0]],
    [[7, 0, 2], [0, 0, 0]],
    [[0, 0, 0], [0, 1, 20_000]],
    [[1, 1, 1], [1, 1, 1]],
    [[900, 60, 3000], [2, 60, 0]],
    [[4000, 300, 9000], [4000, 3, 9000]],
]
"""Ids of each table in each replica, step by step; by many times what a batch has if each row has one."""

REPLICAS = """
import tensorflow as tf
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2)
from tests.pipelines.training.step.test_row_exchange import two_replicas
two_replicas(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
print("the same")
"""


def two_replicas(strategy: tf.distribute.Strategy) -> None:
    """Compares each step's sums with NumPy's; the numbers are whole, so that sums of them are exact."""
    with strategy.scope():
        tables = {place: tf.Variable(tf.zeros(size)) for place, size in SIZES.items()}
        assert all(can_exchange(one) for one in tables.values())
        assert not can_exchange(tf.Variable(tf.zeros([1, 1], tf.float64)))
        exchange = RowExchange(tables, BATCH)

    def one(step: tf.Tensor) -> tuple[dict[int, tf.Tensor], list[tf.Tensor]]:
        context = tf.distribute.get_replica_context()
        mine = {place: summed(rows) for place, rows in drawn(step, context.replica_id_in_sync_group).items()}
        found = exchange(mine, context.all_reduce("SUM", exchange.counts(mine)))
        repeated = [tf.size(rows.indices) - tf.size(tf.unique(rows.indices)[0]) for rows in found.values()]
        return {place: tf.convert_to_tensor(rows) for place, rows in found.items()}, repeated

    @tf.function
    def run() -> tuple[list[tf.Tensor], tf.Tensor]:
        sums = [tf.TensorArray(tf.float32, len(COUNTS)) for _ in range(2 * len(SIZES))]
        repeated = tf.constant(0)
        for step in tf.range(len(COUNTS)):
            found, each = strategy.run(one, args=(step,))
            local = strategy.experimental_local_results
            parts = [local(found[place])[replica] for replica in (0, 1) for place in SIZES]
            sums = [held.write(step, part) for held, part in zip(sums, parts, strict=True)]
            repeated += tf.add_n([local(part)[0] for part in each])
        return [held.stack() for held in sums], repeated

    found, repeated = run()
    assert int(repeated) == 0
    for step in range(len(COUNTS)):
        parts = [drawn(tf.constant(step), replica) for replica in (0, 1)]
        for number, (place, size) in enumerate(SIZES.items()):
            wanted = np.zeros(size, np.float32)
            for part in parts:
                np.add.at(wanted, part[place].indices.numpy(), part[place].values.numpy())
            for replica in (0, 1):
                np.testing.assert_array_equal(found[replica * len(SIZES) + number][step], wanted)


def drawn(step: tf.Tensor, replica: tf.Tensor | int) -> dict[int, tf.IndexedSlices]:
    """Rows of a replica in a step."""
    found = {}
    for number, (place, (rows, width)) in enumerate(SIZES.items()):
        count = tf.constant(COUNTS)[step, replica, number]
        seed = tf.stack([step, replica * 10 + number])
        ids = tf.random.stateless_uniform([count], seed, 0, rows, tf.int64)
        values = tf.random.stateless_uniform([count, width], seed, -100, 100, tf.int32)
        found[place] = tf.IndexedSlices(tf.cast(values, tf.float32), ids, tf.constant([rows, width]))
    return found


def test_all_replicas_get_the_sums_of_all_rows() -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPLICAS], capture_output=True, text=True, cwd=ROOT, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.splitlines()[-1] == "the same"


def test_pieces_follow_the_rows_of_a_batch_and_are_never_tiny() -> None:
    def sizes(width: int, tables: int, rows: int) -> list[int]:
        shape = np.zeros((10, width), np.float32)
        return Alike(range(tables), [shape] * tables, rows).sizes

    assert sizes(16, 26, 1024) == [4 * 26 * 1024, 26 * 1024 // 2, 26 * 1024 // 16]
    assert sizes(16, 1, 16) == [2**14 // 72 + 1]
    assert sizes(1, 2, 2000) == [16_000, 2000, 2**14 // 12 + 1]
