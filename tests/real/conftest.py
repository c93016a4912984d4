"""What tests against real servers share. Each file starts its own; `make test-hdfs` and the like run one file."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from emberline.features import storage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of them start servers from packages, so none belongs to `make test`."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.real)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def flower_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Iris, written as two files."""
    from benchmarks.iris import split, write_split

    folder = tmp_path_factory.mktemp("iris")
    write_split(str(folder), split())
    return folder


@pytest.fixture
def base(store: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A folder of the test's own on the server, for tests that were written for local folders."""
    folder = storage.join(store, "tests", str(abs(hash(request.node.name))))
    yield folder
    storage.delete(folder)


def listing(folder: str) -> dict[str, int]:
    """Files below a folder with their sizes."""
    return {entry.uri: entry.size for entry in storage.list_files(folder, recursive=True)}


def manifest(version: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(storage.read_bytes(storage.join(version, "manifest.json")))
    return found


def training_command(dataset: str, output: str, store: str, *settings: str) -> list[str]:
    """`emberline train` of the iris network with two workers on this machine."""
    sets = [word for setting in settings for word in ("--set", setting)]
    return [
        sys.executable, "-m", "emberline", "train", "--pipeline", "iris_dnn", "--dataset", dataset, "--output", output,
        "--tracking-uri", store, "--master", "local-cluster[2,1,1024]", *sets,
    ]  # fmt: skip


def python_path() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
