"""URIs: which file system serves them, and the small functions on top."""

import os
from pathlib import Path

import pyarrow.fs as pafs
import pytest

from emberline.features import storage
from emberline.features.errors import BadInputError


@pytest.fixture(params=["plain", "file:", "file://", "memory:/"])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The same folder written in several ways, and one that only fsspec serves."""
    if request.param == "memory:/":
        return f"memory:/{tmp_path.name}"
    return str(tmp_path) if request.param == "plain" else f"{request.param}{tmp_path}"


def test_resolve_local_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for uri in ("a/b", "./a/b", f"file:{tmp_path}/a/b", f"file://{tmp_path}/a/b", f"file://localhost{tmp_path}/a/b"):
        filesystem, path = storage.resolve(uri)
        assert isinstance(filesystem, pafs.LocalFileSystem)
        assert path == str(tmp_path / "a" / "b")
        assert storage.is_local(uri)
    assert storage.resolve(tmp_path)[1] == str(tmp_path)
    with pytest.raises(storage.StorageError, match="File URI names the host 'elsewhere'"):
        storage.resolve("file://elsewhere/x")


def test_resolve_object_stores_without_connecting() -> None:
    filesystem, path = storage.resolve("s3a://bucket/a b/at=10%3A30?region=eu-west-1")
    assert (filesystem.type_name, path) == ("s3", "bucket/a b/at=10%3A30")
    assert not storage.is_local("s3://bucket/x")
    with pytest.raises(storage.StorageError, match="s3://bucket/x is not a local file"):
        storage.local_path("s3://bucket/x")


def test_an_unknown_scheme_says_what_to_install() -> None:
    with pytest.raises(storage.StorageError, match=r"Nothing here serves nosuch://host/ .*install the fsspec package"):
        storage.resolve("nosuch://host/path")


def test_one_letter_is_a_drive_and_not_a_scheme() -> None:
    assert storage.is_local("c:/data")


def test_join() -> None:
    assert storage.join("s3://b/", "a", "b.txt") == "s3://b/a/b.txt"
    assert storage.join("/data", "", "x") == "/data/x"
    assert storage.join("/", "x") == "/x"
    assert storage.join("data", "/absolute") == "/absolute"
    assert storage.join("data", "memory:/y") == "memory:/y"


def test_write_read_list_move_delete(base: str) -> None:
    one, two = storage.join(base, "deep", "one"), storage.join(base, "deep", "two")
    assert not storage.exists(one)
    storage.write_text_atomic(one, "ключ")
    storage.write_bytes_atomic(two, b"")
    assert storage.read_text(one) == "ключ"
    assert storage.read_bytes(two) == b""
    assert storage.file_size(one) == 8
    assert [(os.path.basename(f.uri), f.size) for f in storage.list_files(storage.join(base, "deep"))] == [
        ("one", 8),
        ("two", 0),
    ]
    assert storage.list_files(base) == []
    assert [storage.read_bytes(f.uri) for f in storage.list_files(base, recursive=True)] == ["ключ".encode(), b""]
    assert storage.list_files(storage.join(base, "absent")) == []
    storage.move(one, two)
    assert not storage.exists(one)
    assert storage.read_text(two) == "ключ"
    assert storage.is_folder(storage.join(base, "deep"))
    storage.delete(storage.join(base, "deep"))
    storage.delete(storage.join(base, "deep"))
    assert not storage.exists(two)


def test_streams_are_never_decompressed(base: str) -> None:
    place = storage.join(base, "x.gz")
    with storage.open_output(place) as stream:
        stream.write(b"not gzip at all")
    with storage.open_input(place) as stream:
        assert stream.read() == b"not gzip at all"
    with storage.open_random(place) as file:
        assert file.read_at(4, 4) == b"gzip"
    with pytest.raises(FileNotFoundError, match="No file at"):
        storage.file_size(storage.join(base, "y"))


def test_atomic_write_leaves_nothing_behind_when_it_fails(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = storage.join(base, "x")
    storage.write_bytes_atomic(place, b"old")

    def fail(source: str, target: str) -> None:
        raise OSError("no")

    monkeypatch.setattr(storage, "move", fail)
    with pytest.raises(OSError, match="no"):
        storage.write_bytes_atomic(place, b"new")
    assert storage.read_bytes(place) == b"old"
    assert len(storage.list_files(base)) == 1


def test_make_dirs_and_names_with_special_characters(base: str) -> None:
    place = storage.join(base, "at=10%3A30 x#y")
    storage.make_dirs(place)
    storage.write_bytes_atomic(storage.join(place, "f"), b"1")
    assert [f.size for f in storage.list_files(place)] == [1]


def test_moving_between_file_systems_is_refused(tmp_path: Path) -> None:
    storage.write_bytes_atomic("memory:/m", b"x")
    with pytest.raises(storage.StorageError, match="not the same file system"):
        storage.move("memory:/m", str(tmp_path / "m"))


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/passwd", "\\x", "a\\..\\x", "s3://other/x", "..", ""])
def test_a_named_path_does_not_lead_out_of_its_folder(path: str) -> None:
    with pytest.raises(BadInputError, match="leads out of its folder 's3://bucket/folder'"):
        storage.below("s3://bucket/folder", path)
    assert storage.below("s3://bucket/folder", "a/..b/c") == "s3://bucket/folder/a/..b/c"


def test_many_files_are_moved_at_once_and_a_failure_is_heard(base: str) -> None:
    names = [f"{index:03d}" for index in range(200)]
    for name in names:
        storage.write_text_atomic(f"{base}/from/{name}", name)

    def move(name: str) -> None:
        storage.move(f"{base}/from/{name}", f"{base}/to/{name}")

    storage.each_at_once(move, names)
    assert [storage.read_text(entry.uri) for entry in storage.list_files(f"{base}/to")] == names
    assert not storage.list_files(f"{base}/from")
    with pytest.raises(OSError, match="000"):
        storage.each_at_once(move, names)


def test_what_goes_while_it_is_deleted_is_absent(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    place = storage.join(base, "folder")
    storage.write_text_atomic(storage.join(place, "x"), "x")
    real, found = storage.resolve, []

    class Quicker:
        """A file system in which another process deletes the folder between two requests."""

        def __init__(self, filesystem: pafs.FileSystem) -> None:
            self._filesystem = filesystem

        def get_file_info(self, path: str) -> pafs.FileInfo:
            info = self._filesystem.get_file_info(path)
            self._filesystem.delete_dir(path)
            found.append(info.type)
            return info

        def delete_dir(self, path: str) -> None:
            self._filesystem.delete_dir(path)

    monkeypatch.setattr(storage, "resolve", lambda uri: (Quicker(real(uri)[0]), real(uri)[1]))
    storage.delete(place)
    assert found == [pafs.FileType.Directory]
