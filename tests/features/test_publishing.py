"""Finished folders to their final names: on file systems, on object stores, and when it breaks off at any point."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from emberline.features import publishing, storage

ROOT = Path(__file__).parents[2]


def make(folder: str, **files: str) -> str:
    for name, text in files.items():
        storage.write_text_atomic(storage.join(folder, name.replace("__", "/").replace("JSON", ".json")), text)
    return folder


def content(folder: str) -> dict[str, str]:
    start = len(folder) + 1
    return {entry.uri[start:]: storage.read_text(entry.uri) for entry in storage.list_files(folder, recursive=True)}


OLD = {"a": "old a", "deep/b": "old b", "manifest.json": "old", "_SUCCESS": ""}
NEW = {"a": "new a", "deep/c": "new c", "manifest.json": "new", "_SUCCESS": ""}


def old(folder: str) -> str:
    return make(folder, a="old a", deep__b="old b", manifestJSON="old", _SUCCESS="")


def new(folder: str) -> str:
    return make(folder, a="new a", deep__c="new c", manifestJSON="new", _SUCCESS="")


@pytest.fixture(params=["exchange", "renames", "copies", "memory:"])
def base(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder in which names are exchanged, renamed twice, or files copied, as an object store does."""
    if request.param == "renames":
        monkeypatch.setattr(publishing, "_exchange", lambda *_: False)
    if request.param == "copies":
        monkeypatch.setattr(storage, "renames_folders", lambda _: False)
    return f"memory:/{tmp_path.name}" if request.param == "memory:" else str(tmp_path)


def test_a_folder_takes_the_place_of_another(base: str) -> None:
    out = storage.join(base, "out")
    publishing.replace_folder(new(storage.join(base, "made")), out)
    assert content(out) == NEW
    publishing.replace_folder(old(storage.join(base, "made")), out)
    assert content(out) == OLD
    assert storage.list_names(base) == ["out"]


def test_a_copy_that_breaks_off_anywhere_gives_the_old_version_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "renames_folders", lambda _: False)
    real, calls = storage.copy_file, 0
    out, made = old(str(tmp_path / "out")), new(str(tmp_path / "made"))
    for fails in range(1, len(OLD) + len(NEW) + 1):
        calls = 0

        def copy(source: str, target: str, fails: int = fails) -> None:
            nonlocal calls
            calls += 1
            if calls == fails:
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                Path(target).write_text("half")
                raise OSError("503 slow down")
            real(source, target)

        monkeypatch.setattr(storage, "copy_file", copy)
        with pytest.raises(OSError, match="503"):
            publishing.replace_folder(made, out)
        assert content(out) == OLD
        assert content(made) == NEW
        assert sorted(os.listdir(tmp_path)) == ["made", "out"]


def killed_at_every_point(base: str, scripts: Path, way: str = "") -> None:
    """A process of its own ends by SIGKILL at its n-th change of the storage; for n = 1, 2, ... until it survives.

    Args:
        base: A folder; each process works in a new one below.
        scripts: Folder for the program.
        way: `renames` or `copies`, whatever the storage can do; empty: what it can do.
    """
    script = scripts / "killed.py"
    script.write_text(
        "import os, signal, sys\n"
        "from emberline.features import publishing, storage\n"
        "way, made, out, point = sys.argv[1:4] + [int(sys.argv[4])]\n"
        "if way:\n"
        "    publishing._exchange = lambda *_: False\n"
        "    storage.renames_folders = lambda _: way == 'renames'\n"
        "storage.each_at_once = lambda action, items: [action(item) for item in items]\n"
        "count = 0\n"
        "def counted(function):\n"
        "    def call(*what):\n"
        "        global count\n"
        "        count += 1\n"
        "        if count == point:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return function(*what)\n"
        "    return call\n"
        "for name in ('move', 'delete', 'copy_file'):\n"
        "    setattr(storage, name, counted(getattr(storage, name)))\n"
        "publishing.replace_folder(made, out)\n"
    )
    seen = set()
    for point in range(1, 60):
        place = storage.join(base, str(point))
        out, made = old(storage.join(place, "out")), new(storage.join(place, "made"))
        command = [sys.executable, str(script), way, made, out, str(point)]
        done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=60)
        if storage.exists(storage.join(out, "_SUCCESS")):  # what looks whole is whole
            assert content(out) in (OLD, NEW)
        publishing.repair(out)
        assert content(out) in (OLD, NEW)
        seen.add(content(out)["a"])
        assert not [name for name in storage.list_names(place) if name.startswith(".")]
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
    else:
        raise AssertionError("it never survived")
    assert seen == {"old a", "new a"}


@pytest.mark.parametrize("way", ["renames", "copies"])
def test_killed_at_any_point_one_version_is_whole_after_repair(way: str, tmp_path: Path) -> None:
    killed_at_every_point(str(tmp_path), tmp_path, way)


def test_readers_never_meet_a_gap(tmp_path: Path) -> None:
    out, over, missed = old(str(tmp_path / "out")), threading.Event(), 0

    def read() -> None:
        nonlocal missed
        while not over.is_set():
            try:
                (tmp_path / "out" / "_SUCCESS").stat()
            except FileNotFoundError:
                missed += 1

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(100):
        publishing.replace_folder(new(str(tmp_path / "made")), out)
    over.set()
    for reader in readers:
        reader.join(60)
    assert missed == 0


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    old(str(tmp_path / "v1"))
    (tmp_path / "latest").symlink_to("v1")
    publishing.replace_folder(new(str(tmp_path / "made")), str(tmp_path / "latest"))
    assert (tmp_path / "latest").is_symlink()
    assert content(str(tmp_path / "v1")) == NEW


def test_what_an_older_version_left_is_put_back(tmp_path: Path) -> None:
    old(str(tmp_path / "out.replaced-0123abcd"))
    assert publishing.repair(str(tmp_path / "out"))
    assert content(str(tmp_path / "out")) == OLD


@pytest.mark.parametrize(
    "set_up", [lambda _: None, lambda patch: patch.setattr(storage, "renames_folders", lambda _: 0)]
)
def test_removing_and_setting_aside(
    set_up: Callable[[pytest.MonkeyPatch], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up(monkeypatch)
    out = old(str(tmp_path / "out"))
    publishing.set_aside(out, ".out.earlier")
    assert content(str(tmp_path / ".out.earlier")) == OLD
    publishing.remove_folder(str(tmp_path / ".out.earlier"))
    assert [name for name in os.listdir(tmp_path) if content(str(tmp_path / name))] == []


def test_what_lies_in_what(tmp_path: Path) -> None:
    (tmp_path / "data" / "raw").mkdir(parents=True)
    (tmp_path / "link").symlink_to("data")
    within = storage.is_within
    assert within(tmp_path / "data" / "raw", tmp_path / "data")
    assert within(f"file://{tmp_path}/data/new/folder", str(tmp_path / "link"))
    assert within(tmp_path / "link" / "raw", tmp_path / "data" / "raw")
    assert not within(tmp_path / "data", tmp_path / "data" / "raw")
    assert not within(tmp_path / "data2", tmp_path / "data")
    assert within("s3://bucket/a/b?region=x", "s3a://bucket/a?region=x")
    assert not within("s3://bucket/ab?region=x", "s3://bucket/a?region=x")
    assert not within("s3://bucket/a", str(tmp_path))  # without asking the bucket
    assert within("memory:/x/y", "memory:/x")
    assert within("memory:/out/../x", "memory:/x")
    assert within("s3://bucket/out/../a/b?region=x", "s3://bucket/a?region=x")
