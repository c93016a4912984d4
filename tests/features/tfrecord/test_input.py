"""The tf.data reader: equal steps, exact batches, complete epochs, shuffling, resuming; for all layouts and places."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features import storage
from emberline.features.tfrecord import remote
from emberline.features.tfrecord.input import read_epoch, read_rest
from emberline.features.tfrecord.layouts import shard_name, write_shard
from emberline.features.tfrecord.manifest import LAYOUTS, Layout, ShardSet

ROWS, STEP = 1130, 50
SCHEMA = pa.schema(
    [("id", pa.int64()), ("x", pa.float32()), ("v", pa.list_(pa.float32(), 3)), ("key", pa.string()),
     ("twice", pa.int64()), ("pair", pa.list_(pa.int64(), 2)), ("raw", pa.binary()),
     ("many", pa.list_(pa.int64())), ("weights", pa.list_(pa.float32()))]
)  # fmt: skip


def table(rows: int) -> pa.Table:
    number = np.arange(rows)
    columns = [
        pa.array(number),
        pa.array(number.astype(np.float32)),
        pa.FixedSizeListArray.from_arrays(pa.array(np.arange(3 * rows).astype(np.float32)), 3),
        pa.array([f"k{n}" for n in number]),
        pa.array(2 * number),
        pa.FixedSizeListArray.from_arrays(pa.array(np.arange(2 * rows)), 2),
        pa.array([b"\xff" * (n % 3) for n in number], pa.binary()),
        pa.array([[int(n)] * (n % 4) for n in number], pa.list_(pa.int64())),
        pa.array([[n / 2] * (n % 3) for n in number], pa.list_(pa.float32())),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def write(
    folder: str, layout: Layout, codec: str | None, rows: int = ROWS, cuts: tuple[int, ...] = (300, 301, 900)
) -> ShardSet:
    """Sorted rows in shards of very different sizes."""
    data, bounds = table(rows), [0, *cuts, rows]
    shards = [
        write_shard(
            storage.join(folder, shard_name(n, len(bounds) - 1, codec)), data.slice(a, b - a).to_batches(),
            schema=SCHEMA, layout=layout, codec=codec, rows_per_block=STEP,
        )
        for n, (a, b) in enumerate(itertools.pairwise(bounds))
    ]  # fmt: skip
    return ShardSet(SCHEMA, layout, codec, STEP, tuple(shards))


@pytest.fixture(scope="module", params=[(p, c) for p in ("local", "memory") for c in (None, "gzip")], ids=str)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    """A folder of shards per layout; memory: stands for all file systems that TensorFlow does not know."""
    where, codec = request.param
    base = str(tmp_path_factory.mktemp("shards")) if where == "local" else f"memory:/input-{codec}"
    return base, {layout: write(f"{base}/{layout}", layout, codec) for layout in LAYOUTS}


def batches(place: tuple[str, Any], layout: str, **options: Any) -> list[dict[str, Any]]:
    base, sets = place
    options = {"batch_size": 32, "shuffle_window_blocks": 3} | options
    found = read_epoch(f"{base}/{layout}", sets[layout], **options)
    result = [{name: _numpy(value) for name, value in batch.items()} for batch in found]
    assert found.cardinality().numpy() == len(result)
    return result


def _numpy(value: Any) -> Any:
    """Rows of a list column as Python lists: their lengths differ."""
    return np.array([*value.to_list(), None], object)[:-1] if isinstance(value, tf.RaggedTensor) else value.numpy()


def ids(found: list[dict[str, Any]]) -> list[int]:
    return [int(value) for batch in found for value in batch["id"]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_columns_have_their_types_and_rows_stay_together(place: tuple[str, Any], layout: str) -> None:
    (batch, *_) = batches(place, layout, seed=1)
    number = batch["id"]
    assert {name: (value.dtype.kind, value.shape) for name, value in batch.items()} == {
        "id": ("i", (32,)), "x": ("f", (32,)), "v": ("f", (32, 3)), "key": ("O", (32,)), "twice": ("i", (32,)),
        "pair": ("i", (32, 2)), "raw": ("O", (32,)), "many": ("O", (32,)), "weights": ("O", (32,)),
    }  # fmt: skip
    assert (batch["x"] == number).all()
    assert (batch["twice"] == 2 * number).all()
    assert (batch["v"] == 3 * number[:, None] + np.arange(3)).all()
    assert (batch["pair"] == 2 * number[:, None] + np.arange(2)).all()
    assert batch["key"].tolist() == [f"k{n}".encode() for n in number]
    assert batch["raw"].tolist() == [b"\xff" * (n % 3) for n in number]
    assert batch["many"].tolist() == [[n] * (n % 4) for n in number]
    assert batch["weights"].tolist() == [[n / 2] * (n % 3) for n in number]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("workers", [1, 3])
def test_workers_take_equal_disjoint_exact_batches(place: tuple[str, Any], layout: str, workers: int) -> None:
    seen: list[int] = []
    for worker in range(workers):
        found = batches(place, layout, seed=4, worker=worker, workers=workers, columns=["id"])
        assert [len(batch["id"]) for batch in found] == [32] * (ROWS // (32 * workers))
        assert list(found[0]) == ["id"]
        seen += ids(found)
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_evaluation_reads_every_row_once_in_order(place: tuple[str, Any], layout: str) -> None:
    parts = [batches(place, layout, worker=w, workers=3, drop_remainder=False, columns=["id"]) for w in range(3)]
    assert [row for part in parts for row in ids(part)] == list(range(ROWS))
    assert all(len(batch["id"]) == 32 for part in parts for batch in part[:-1])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_shuffled_epochs_hold_every_row_and_differ(place: tuple[str, Any], layout: str) -> None:
    orders = [ids(batches(place, layout, seed=s, epoch=e, drop_remainder=False)) for s, e in ((1, 0), (1, 1), (2, 0))]
    assert all(sorted(order) == list(range(ROWS)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert ids(batches(place, layout, seed=1, epoch=1, drop_remainder=False)) == orders[1]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("seed", [None, 6])
def test_a_position_is_restored_exactly(place: tuple[str, Any], layout: str, seed: int | None) -> None:
    options = {"seed": seed, "worker": 1, "workers": 2, "epoch": 2, "drop_remainder": seed is not None}
    whole = batches(place, layout, **options)
    for skip in (5, 11, len(whole) + 1):  # inside a window, in another one, behind the end
        rest = batches(place, layout, skip_batches=skip, **options)
        assert len(rest) == max(0, len(whole) - skip)
        for found, wanted in zip(rest, whole[skip:], strict=True):
            assert all((found[name] == wanted[name]).all() for name in wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_epoch_goes_on_with_other_numbers_of_workers(place: tuple[str, Any], layout: str) -> None:
    """Two workers do 4 steps, three do 3, four do 5, one the rest: no row twice, as many as one number would see."""
    (base, sets), total = place, ROWS // 60
    plan = [(2, 4), (3, 3), (4, 5), (1, total - 12)]
    seen: list[int] = []
    for index, (workers, steps) in enumerate(plan):
        for worker in range(workers):
            found = read_rest(
                f"{base}/{layout}", sets[layout], global_batch=60, done=plan[:index], worker=worker, workers=workers,
                seed=3, epoch=1, columns=["id", "many", "key"], shuffle_window_blocks=3,
            )  # fmt: skip
            taken = [{name: _numpy(value) for name, value in batch.items()} for batch in found]
            assert [len(batch["id"]) for batch in taken] == [60 // workers] * (total - sum(s for _, s in plan[:index]))
            assert all(batch["key"].tolist() == [f"k{n}".encode() for n in batch["id"]] for batch in taken)
            assert all(batch["many"].tolist() == [[n] * (n % 4) for n in batch["id"]] for batch in taken)
            seen += ids(taken[:steps])
    assert len(seen) == len(set(seen)) == total * 60


def test_the_same_number_of_workers_goes_on_as_if_never_stopped(place: tuple[str, Any]) -> None:
    base, sets = place
    whole = batches(place, "block", seed=3, epoch=1, batch_size=30, worker=1, workers=2)
    rest = read_rest(
        f"{base}/block", sets["block"], global_batch=60, done=[(2, 3), (2, 4)], worker=1, workers=2, seed=3, epoch=1,
        shuffle_window_blocks=3,
    )  # fmt: skip
    for found, wanted in zip(rest, whole[7:], strict=True):
        assert all((_numpy(found[name]) == wanted[name]).all() for name in wanted)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sorted_input_comes_out_mixed_within_and_across_blocks(tmp_path: Path, layout: Layout) -> None:
    """4,000 sorted rows in blocks of 50, windows of 8 blocks."""
    shards = write(str(tmp_path), layout, None, rows=4000, cuts=(1000, 2000, 3000))
    found = read_epoch(
        str(tmp_path), shards, batch_size=40, seed=5, shuffle_window_blocks=8, columns=["id"]
    ).as_numpy_iterator()
    order = np.concatenate([batch["id"] for batch in found])
    assert (np.diff(order) == 1).mean() < 0.02  # neighbours are torn apart; chance alone would leave 0.0025
    assert abs(np.corrcoef(np.arange(4000), order)[0, 1]) < 0.35  # 80 blocks: three standard deviations are 0.34
    for window in order.reshape(-1, 400):  # one window = 8 blocks
        assert len(np.unique(window // STEP)) in (7, 8, 9)  # from all over the set, not from one place
        assert window.max() - window.min() > 1500
    for batch in order.reshape(-1, 40):  # a batch holds rows of nearly all blocks of its window
        assert len(np.unique(batch // STEP)) >= 6
    positions = np.argsort(order)
    # within a block, the order of rows says nothing about the order of reading
    correlations = [np.corrcoef(np.arange(STEP), positions[b : b + STEP])[0, 1] for b in range(0, 4000, STEP)]
    assert abs(np.mean(correlations)) < 0.1


def test_compressed_shards_are_mixed_too(tmp_path: Path) -> None:
    shards = write(str(tmp_path), "block", "gzip", rows=4000, cuts=(1000, 2000, 3000))
    found = read_epoch(str(tmp_path), shards, batch_size=40, seed=5, shuffle_window_blocks=8, columns=["id"])
    order = np.concatenate([batch["id"].numpy() for batch in found])
    assert (np.diff(order) == 1).mean() < 0.02
    for window in order.reshape(-1, 400)[:-1]:
        assert len(np.unique(window // 1000)) == 4  # all four files are open at the same time


def test_more_workers_than_shards(tmp_path: Path) -> None:
    shards = write(str(tmp_path), "block", None, rows=70, cuts=())
    seen = []
    for worker in range(7):
        (batch,) = read_epoch(str(tmp_path), shards, batch_size=10, worker=worker, workers=7, seed=1)
        seen += batch["id"].numpy().tolist()
    assert sorted(seen) == list(range(70))


def test_too_few_rows_give_no_step(tmp_path: Path) -> None:
    shards = write(str(tmp_path), "block", None, rows=7, cuts=())
    assert list(read_epoch(str(tmp_path), shards, batch_size=8, seed=1)) == []
    empty = ShardSet(SCHEMA, "plain", None, STEP, ())
    assert list(read_epoch(str(tmp_path), empty, batch_size=8, drop_remainder=False)) == []


def test_damage_stops_the_epoch(tmp_path: Path) -> None:
    shards = write(str(tmp_path), "block", None)
    path = tmp_path / shards.shards[0].path
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(tf.errors.DataLossError):
        list(read_epoch(str(tmp_path), shards, batch_size=8, seed=1))


def test_arguments_are_checked(tmp_path: Path) -> None:
    shards = ShardSet(SCHEMA, "plain", None, STEP, ())
    for options, message in (
        ({"batch_size": 0}, "batch_size 0"),
        ({"batch_size": 1, "worker": 2, "workers": 2}, "Worker 2 of 2: workers are counted from 0 to workers - 1"),
        ({"batch_size": 1, "columns": ["nope"]}, "Columns nope are not in the dataset; it has id, x"),
    ):
        with pytest.raises(ValueError, match=message):
            read_epoch(str(tmp_path), shards, **options)


def test_of_many_remote_shards_few_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 12 shards in a random order; at most 5 files are open beside the one that is being opened."""
    monkeypatch.setattr(remote, "_OPEN_FILES", 3)
    shards = write("memory:/many", "block", None, 600, tuple(range(50, 600, 50)))
    opened: list[Any] = []
    most = 0

    def counted(uri: str) -> Any:
        nonlocal most
        opened.append(storage.open_random(uri))
        most = max(most, sum(not file.closed for file in opened))
        return opened[-1]

    monkeypatch.setattr(remote, "storage", SimpleNamespace(open_random=counted))
    rows = [row for batch in read_epoch("memory:/many", shards, batch_size=60, seed=1) for row in batch["id"].numpy()]
    assert sorted(rows) == list(range(600))
    assert len(opened) >= 12
    assert most <= remote._READ_AHEAD + 2
    assert all(file.closed for file in opened)
