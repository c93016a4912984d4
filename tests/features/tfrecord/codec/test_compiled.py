"""Compiled kernels: where they are kept, and that they come back without numba."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from emberline.features.tfrecord.codec import compiled, kernels

ROOT = Path(__file__).parents[4]

CHECK = """
import sys
from emberline.features.tfrecord.codec.framing import crc32c
import emberline.features.tfrecord.codec.compiled as compiled
assert crc32c(b"123456789") == 0xE3069283  # the check value of CRC-32C, RFC 3720
print("numba" in sys.modules, compiled.__file__)
"""


def _python(code: str, *, path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process that finds no kernels of this machine: every place of the search is below `path`."""
    empty = path.parent / "empty"
    empty.mkdir(exist_ok=True)
    ours = ("NUMBA_CACHE_DIR", "EMBERLINE_KERNEL_CACHE")
    clean = {key: value for key, value in os.environ.items() if key not in ours}
    places = {"PYTHONPATH": str(path), "XDG_CACHE_HOME": str(empty), "TMPDIR": str(empty)}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean | places | environment,
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def _copy(folder: Path) -> Path:
    """A copy of the room without compiled kernels."""
    source = folder / "app"
    package = source / "emberline"
    shutil.copytree(ROOT / "features", package / "features", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "emberline" / "__init__.py", package)
    return source


def test_first_process_compiles_and_second_does_not_need_numba(tmp_path: Path) -> None:
    source, cache = _copy(tmp_path), tmp_path / "cache"
    first = _python(CHECK, path=source, EMBERLINE_KERNEL_CACHE=str(cache))
    assert first.stdout.startswith("True"), first.stderr
    assert [file.name.partition("-")[0] for file in cache.iterdir()] == ["crc32c"]
    second = _python(CHECK, path=source, EMBERLINE_KERNEL_CACHE=str(cache))
    assert second.stdout.startswith("False"), second.stderr


def test_code_in_a_zip_uses_the_cache_of_the_user(tmp_path: Path) -> None:
    """`--py-files app.zip` has another path in every application, the cache does not care."""
    source, home = _copy(tmp_path), tmp_path / "home"
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        with zipfile.ZipFile(folder / "app.zip", "w") as archive:
            for file in sorted(source.rglob("*.py")):
                archive.write(file, file.relative_to(source))
    outputs = [_python(CHECK, path=tmp_path / name / "app.zip", XDG_CACHE_HOME=str(home)) for name in ("one", "two")]
    assert [output.stdout.split(maxsplit=1)[0] for output in outputs] == ["True", "False"], outputs[1].stderr
    assert "app.zip" in outputs[1].stdout
    assert list((home / "emberline").iterdir())


def test_damaged_object_code_is_compiled_again(tmp_path: Path) -> None:
    source, cache = _copy(tmp_path), tmp_path / "cache"
    assert _python(CHECK, path=source, EMBERLINE_KERNEL_CACHE=str(cache)).returncode == 0
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    again = _python(CHECK, path=source, EMBERLINE_KERNEL_CACHE=str(cache))
    assert again.stdout.startswith("True"), again.stderr
    assert len(file.read_bytes()) == len(whole)


def test_without_a_writable_folder_it_still_works_and_says_so(tmp_path: Path) -> None:
    source = _copy(tmp_path)
    blocked = tmp_path / "file"  # a file where a folder is wanted: nothing can be made below it, even by root
    blocked.write_text("")
    code = (
        "import pathlib, emberline.features.tfrecord.codec.compiled as c\n"
        f"c.cache_folders = lambda: iter([pathlib.Path({str(blocked)!r}) / 'x'])\n" + CHECK
    )
    result = _python(code, path=source)
    assert result.stdout.startswith("True"), result.stderr
    assert "set EMBERLINE_KERNEL_CACHE" in result.stderr


def test_folder_order(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EMBERLINE_KERNEL_CACHE", str(tmp_path / "a"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "b"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    folders = list(compiled.cache_folders())
    here = Path(compiled.__file__).parent / "__pycache__" / "kernels"
    assert folders[:4] == [tmp_path / "a", tmp_path / "b" / "emberline", here, tmp_path / "c" / "emberline"]


def test_every_folder_and_file_must_be_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Object code is only trusted where nobody else can write, whichever of the places it is."""
    folder = tmp_path / "shared" / "emberline"
    assert compiled.is_private(folder)  # will be made in one of our own
    folder.mkdir(parents=True)
    for name, place in (("EMBERLINE_KERNEL_CACHE", folder), ("NUMBA_CACHE_DIR", folder.parent)):
        monkeypatch.setenv(name, str(place))
        for open_to_all in (folder, folder.parent):
            assert folder in compiled.cache_folders()
            open_to_all.chmod(0o777)
            assert folder not in compiled.cache_folders()
            open_to_all.chmod(0o1777)  # sticky: others cannot take our folder away, but could add to this one
            assert (folder in compiled.cache_folders()) == (open_to_all != folder)
            open_to_all.chmod(0o755)
        monkeypatch.delenv(name)
    (tmp_path / "link").symlink_to(folder)
    assert compiled.is_private(tmp_path / "link")
    folder.chmod(0o777)
    assert not compiled.is_private(tmp_path / "link")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make files of another user")
def test_code_of_another_user_is_not_loaded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(compiled, "_places", lambda: iter([tmp_path / "cache"]))
    compiled._store("crc32c", b"not code")
    assert compiled._find("crc32c") == b"not code"
    (file,) = (tmp_path / "cache").iterdir()
    file.chmod(0o666)
    assert compiled._find("crc32c") is None
    file.chmod(0o644)
    os.chown(file, 65534, 65534)
    assert compiled._find("crc32c") is None
    os.chown(file, 0, 0)
    os.chown(tmp_path / "cache", 65534, 65534)
    assert list(compiled.cache_folders()) == []


def test_an_image_build_fills_the_folder_it_names_with_kernels_of_others(tmp_path: Path) -> None:
    source, cache = _copy(tmp_path), tmp_path / "cache"
    own = source / "emberline" / "features" / "tfrecord" / "codec" / "__pycache__" / "kernels"
    assert _python(CHECK, path=source).returncode == 0
    (kept,) = own.glob("*.o")
    build = """
from emberline.features.tfrecord.codec import compiled, kernels
kernels.ENTRY_POINTS = {"crc32c": kernels.ENTRY_POINTS["crc32c"]}  # all of them would take a while
compiled.compile_all()
"""
    assert _python(build, path=source, EMBERLINE_KERNEL_CACHE=str(cache)).returncode == 0
    assert (cache / kept.name).read_bytes() == kept.read_bytes()


def test_all_entry_points_compile() -> None:
    compiled.compile_all()
    for name in kernels.ENTRY_POINTS:
        compiled.kernel(name)
    assert compiled.kernel("crc32c") is compiled.kernel("crc32c")
