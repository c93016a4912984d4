"""A query ends behind a whole batch when a signal comes, and says what a batch raised."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.scoring.streaming.query import Batches


@pytest.fixture
def ticks(spark: SparkSession) -> Iterator[DataFrame]:
    """Rows that never end."""
    yield spark.readStream.format("rate").option("rowsPerSecond", 100).load()
    for query in spark.streams.active:
        query.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_batch_of_a_signal_is_done_and_committed(ticks: DataFrame, tmp_path: Path, number: signal.Signals) -> None:
    done: list[int] = []
    told: list[int] = []
    before = signal.getsignal(number)

    def each(rows: DataFrame, batch: int) -> None:
        rows.count()
        if batch == 3:
            os.kill(os.getpid(), number)
        rows.count()
        done.append(batch)

    batches = Batches(each)
    batches.run(ticks, str(tmp_path), 0, False, lambda report: told.append(report["batchId"]))
    assert batches.stopped_by == number.name
    assert done[-1] >= 3
    assert done == list(range(done[-1] + 1))
    assert sorted(int(path.name) for path in (tmp_path / "commits").glob("[0-9]*")) == done
    assert set(told) <= set(done)
    assert signal.getsignal(number) is before


def test_a_batch_that_fails_says_why_and_comes_again(ticks: DataFrame, tmp_path: Path) -> None:
    seen: list[int] = []

    def fail(rows: DataFrame, batch: int) -> None:
        seen.append(batch)
        raise BadInputError("The rows are odd.")

    for _ in range(2):
        with pytest.raises(BadInputError, match="The rows are odd"):
            Batches(fail).run(ticks, str(tmp_path), 0, False, lambda report: None)
    assert len(set(seen)) == 1, "under its number"
    assert not list((tmp_path / "commits").glob("[0-9]*"))
