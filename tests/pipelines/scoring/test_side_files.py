"""The sample of a scoring: bounded, uniform, one of all tasks; rows put aside appear whole."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emberline.pipelines.scoring.side_files import LEVEL, Aside, Sample, Samples


def rows(first: int, count: int) -> pa.RecordBatch:
    texts = pa.array([f"t{index % 7}" for index in range(count)]).dictionary_encode()
    return pa.RecordBatch.from_arrays([pa.array(np.arange(first, first + count)), texts], names=["number", "text"])


def test_a_sample_is_bounded_and_uniform(tmp_path: Path) -> None:
    counts = {0: 200_000, 1: 50_000, 2: 3}
    for partition, total in counts.items():
        sample = Sample(4_000, partition)
        for first in range(0, total, 1_000):
            sample.add(rows(first, min(1_000, total - first)))
        sample.write(str(tmp_path), partition)
    found = Samples.of(str(tmp_path), 4_000)
    assert found
    parts = [pq.read_table(file) for file in sorted((tmp_path / "sample").iterdir())]
    assert all(part.num_rows <= 4_000 for part in parts)
    assert parts[0]["text"].type == pa.string()
    chosen = [part.filter(pa.array(np.asarray(part[LEVEL]) >= found.level)) for part in parts]
    share = 2.0**-found.level
    for part, total in zip(chosen, counts.values(), strict=True):
        # Within five standard deviations of what was to be expected.
        assert part.num_rows == pytest.approx(total * share, abs=5 * np.sqrt(total * share) + 1)
    numbers = chosen[0]["number"].to_numpy()
    assert np.mean(numbers) == pytest.approx(100_000, rel=0.1), "as many from the beginning as from the end"
    assert np.mean(numbers % 2) == pytest.approx(0.5, abs=0.1)


def test_no_rows_no_sample(tmp_path: Path) -> None:
    Sample(10, 0).write(str(tmp_path), 0)
    assert Samples.of(str(tmp_path), 10) is None


def test_rows_put_aside_appear_whole_and_once(tmp_path: Path) -> None:
    for attempt in (1, 2):
        aside = Aside(str(tmp_path), 3, attempt)
        aside.add(rows(0, 10))
        if attempt == 1:
            continue  # it died
        aside.add(rows(10, 5))
        aside.close()
    Aside(str(tmp_path), 4, 1).close()
    assert [file.name for file in (tmp_path / "aside").glob("part*")] == ["part-00003.parquet"]
    assert pq.read_table(tmp_path / "aside" / "part-00003.parquet")["number"].to_pylist() == list(range(15))
