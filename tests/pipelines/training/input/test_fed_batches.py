"""Ranks that are fed unevenly: as many steps as the rows allow, the same number on each, and every row at most once."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from emberline.features.columns import PAD, Embedding, HashBucket, Numeric, arrow_schema
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.tfrecord.manifest import Shard, ShardSet
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.input import wire
from emberline.pipelines.training.input.fed_batches import FedBatches, moves
from emberline.pipelines.training.input.feeder import send_all

SECRET = "secret"
BATCH = 4
"""Rows per rank and step."""


class TogetherSum:
    """What an all-reduce does, among threads of this process."""

    def __init__(self, workers: int) -> None:
        self._barrier, self._given = threading.Barrier(workers), {}

    def __call__(self, values: np.ndarray) -> np.ndarray:
        self._given[threading.get_ident()] = values
        self._barrier.wait(20)
        total = sum(self._given.values())
        self._barrier.wait(20)
        return total


class Ranks:
    """Every rank's `FedBatches`, driven like the loop drives it, each in a thread."""

    def __init__(self, workers: int) -> None:
        recipe = Recipe(
            "test",
            "",
            "iris",
            dnn.Config(deep=(Numeric("x"),), hidden_units=(2,)),
            Training((Optimizer("sgd", 0.1),), epochs=1, global_batch=BATCH * workers, workers=workers),
        )
        stored = arrow_schema(recipe.model.columns).append(pa.field("y", pa.float32()))
        shards = ShardSet(stored, "block", None, 10, (Shard("s", 100 * workers, 10, 1, 0, ((10, 1),)),))
        version = DatasetVersion(
            "file:///nowhere",
            {"splits": {"train": shards.to_json(), "eval": shards.to_json()}},
            {"schema": {"label": {"name": "y"}}},
        )
        together = TogetherSum(workers)
        self.events: list[dict[str, Any]] = []
        self.seen: list[list[float]] = [[] for _ in range(workers)]
        self.groups: list[list[int]] = [[] for _ in range(workers)]
        self.errors: list[Exception] = []
        self.batches = [
            FedBatches(
                recipe, version, worker=rank, host="127.0.0.1", secret=SECRET, report=self.events.append,
                sum_over_workers=together,
            )
            for rank in range(workers)
        ]  # fmt: skip
        self._threads = [threading.Thread(target=self._train, args=(rank,)) for rank in range(workers)]
        for thread in self._threads:
            thread.start()
        while len(self.events) < workers:
            threading.Event().wait(0.01)
        self.addresses = tuple((event["host"], event["port"]) for event in self.events[:workers])

    def _train(self, rank: int) -> None:
        batches, position = self.batches[rank], Position()
        iterator = iter(batches.training(position))
        try:
            while steps := batches.steps_ahead(position, limit=3):
                self.groups[rank].append(steps)
                for _ in range(steps):
                    features, label = next(iterator)
                    assert features["x"].shape == (BATCH,)
                    np.testing.assert_array_equal(features["x"], label)
                    self.seen[rank] += label.numpy().tolist()
            assert next(iterator, None) is None
        except Exception as error:
            self.errors.append(error)

    def feed(self, only: int | None, ids: Iterator[int] | range, name: str) -> None:
        """Sends rows to one rank, or to all as a feeder does."""
        addresses = self.addresses if only is None else (self.addresses[only],)
        column = pa.array(list(ids), pa.float32())
        whole = pa.RecordBatch.from_arrays([column, column], names=["x", "y"])
        send_all((whole.slice(at, 5) for at in range(0, len(column), 5)), addresses, SECRET, name)

    def end(self) -> None:
        for address in self.addresses:
            with wire.connect(address, SECRET, "driver") as connection:
                wire.send_json(connection, wire.OVER, {"ranks": self.addresses})
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a rank waits for ever"


@pytest.mark.parametrize(
    ("workers", "fed"),
    [
        pytest.param(2, [(None, 101), (None, 3)], id="ten against a thousand"),
        pytest.param(2, [(0, 20)], id="all to one rank"),
        pytest.param(2, [(1, 19), (0, 3)], id="the last step needs both"),
        pytest.param(3, [(2, 20), (1, 9)], id="two ranks give to one"),
        pytest.param(3, [(0, 13)], id="one gives to two"),
        pytest.param(1, [(None, 30)], id="a rank alone"),
    ],
)
def test_an_epoch_has_as_many_steps_as_its_rows_make_global_batches(workers: int, fed: list) -> None:
    ranks = Ranks(workers)
    start = 0
    for number, (only, count) in enumerate(fed):
        ranks.feed(only, range(start, start + count), f"0/{number}")
        start += count
    ranks.end()
    assert not ranks.errors
    assert all(groups == ranks.groups[0] for groups in ranks.groups), "every rank does the same steps"
    steps = start // (BATCH * workers)
    assert [len(seen) for seen in ranks.seen] == [steps * BATCH] * workers
    counts = Counter(row for seen in ranks.seen for row in seen)
    assert set(counts.values()) == {1}
    assert set(counts) <= set(range(start))
    left = {event["left_out"] for event in ranks.events if event["event"] == "fed"}
    assert left == {start - steps * BATCH * workers}


def test_ranks_wait_for_a_slow_source_instead_of_ending() -> None:
    ranks = Ranks(2)
    ranks.feed(0, range(8), "0/0")
    threading.Event().wait(0.3)
    assert ranks.groups == [[], []]
    ranks.feed(1, range(8, 16), "0/1")
    ranks.end()
    assert [len(seen) for seen in ranks.seen] == [8, 8]


def test_rows_that_make_no_step_are_an_error_that_counts_them() -> None:
    ranks = Ranks(2)
    ranks.feed(None, range(7), "0/0")
    ranks.end()
    assert len(ranks.errors) == 2
    assert isinstance(ranks.errors[0], BadInputError)
    assert "make no step: 7 were fed, and training.global_batch=8" in str(ranks.errors[0])


def test_moves_fill_every_rank() -> None:
    assert list(moves([0, 9, 3], 4)) == [(1, 0, 4), (1, 2, 1)]
    assert list(moves([4, 4], 4)) == []
    generator = np.random.default_rng(1)
    for _ in range(200):
        held = generator.integers(0, 50, size=5).tolist()
        target = sum(held) // 5
        after = list(held)
        for giver, taker, rows in moves(held, target):
            after[giver] -= rows
            after[taker] += rows
        assert min(after) >= target
        assert sum(after) == sum(held)


def test_rows_of_many_values_are_padded_and_arrays_and_weights_keep_their_shape() -> None:
    recipe = Recipe(
        "test",
        "",
        "iris",
        dnn.Config(deep=(Embedding(HashBucket("words", 10, many=True), 2), Numeric("place", shape=(2,)))),
        Training((Optimizer("sgd", 0.1),), epochs=1, global_batch=2, workers=1, weight="trust"),
    )
    stored = arrow_schema(recipe.stored_columns).append(pa.field("y", pa.float32()))
    shards = ShardSet(stored, "block", None, 10, (Shard("s", 2, 1, 1, 0, ((1, 1),)),)).to_json()
    version = DatasetVersion(
        "file:///nowhere", {"splits": {"train": shards, "eval": shards}}, {"schema": {"label": {"name": "y"}}}
    )
    addresses: list[tuple[str, int]] = []
    batches = FedBatches(
        recipe, version, worker=0, host="127.0.0.1", secret=SECRET, sum_over_workers=lambda values: values,
        report=lambda event: addresses.append((event.get("host"), event.get("port"))),
    )  # fmt: skip
    iterator = iter(batches.training(Position()))
    rows = {
        "words": [[1], [2, 3, 4], [], [5, 6]],
        "place": [[0, 1], [2, 3], [4, 5], [6, 7]],
        "trust": [0.5, 1.0, 2.0, 3.0],
        "y": [0, 1, 0, 1],
    }
    whole = pa.RecordBatch.from_pydict(rows, stored)
    send_all(iter([whole.slice(0, 3), whole.slice(3, 1)]), tuple(addresses), SECRET, "0/0")
    assert batches.steps_ahead(Position(), 5) == 2
    inputs, label, weight = next(iterator)
    np.testing.assert_array_equal(inputs["words"], [[1, PAD, PAD], [2, 3, 4]])
    np.testing.assert_array_equal(inputs["place"], [[0, 1], [2, 3]])
    inputs, label, weight = next(iterator)
    np.testing.assert_array_equal(inputs["words"], [[PAD, PAD, PAD], [5, 6, PAD]])
    np.testing.assert_array_equal(label, [0, 1])
    np.testing.assert_array_equal(weight, [2.0, 3.0])
    with wire.connect(addresses[0], SECRET, "driver") as connection:
        wire.send_json(connection, wire.OVER, {"ranks": addresses})
    assert batches.steps_ahead(Position(), 5) == 0
    assert next(iterator, None) is None
