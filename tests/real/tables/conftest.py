"""Tables of real stores, with the same flowers in them as the files of the official format."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What they need comes from Maven's registry and Debian's packages, so none belongs to `make test`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)
            item.add_marker(pytest.mark.timeout(1800))


@dataclass(frozen=True)
class Job:
    """A finished process.

    Args:
        code: Its exit code.
        result: The last line on stdout, an object.
        said: All of stdout.
        lines: What it wrote to stderr.
    """

    code: int
    result: dict[str, Any]
    said: str
    lines: str


Command = Callable[..., Job]


def run(arguments: list[str], settings: Path, environment: Mapping[str, str]) -> Job:
    """Runs Python with the `spark-defaults.conf` of a folder, as a user would have it."""
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=900, check=False,
        env=os.environ | {"SPARK_CONF_DIR": str(settings)} | environment,
    )  # fmt: skip
    last = done.stdout.strip().splitlines()[-1:] or ["{}"]
    return Job(done.returncode, json.loads(last[0]) if last[0].startswith("{") else {}, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official files."""
    from benchmarks.iris import split, write_split

    folder = tmp_path_factory.mktemp("iris")
    write_split(str(folder), split())
    return folder


@pytest.fixture(scope="session")
def table(flowers: Path) -> pa.Table:
    """The same flowers with column names: keys as the reader of the files gives them, and the split."""
    import hashlib

    rows = []
    for name, split in (("iris_training.csv", "train"), ("iris_test.csv", "eval")):
        for line in (flowers / name).read_text().splitlines()[1:]:
            values = line.split(",")
            numbers = [float(value) for value in values[:4]]
            key = hashlib.sha256(line.encode()).hexdigest()[:16]
            rows.append((key, *numbers, values[4].strip(), split))
    names = ("row", "sepal_length", "sepal_width", "petal_length", "petal_width", "species", "split")
    return pa.table({name: [row[place] for row in rows] for place, name in enumerate(names)})


@pytest.fixture(scope="session")
def parquet(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table as a file, for SQL to take."""
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("rows")
    pq.write_table(table, folder / "flowers.parquet")
    return folder / "flowers.parquet"
