"""The locks hold what runs, and on top what developers need; their hashes are of the same versions, and enforced."""

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements", "requirements-dev", "requirements-airflow", "requirements-tools")
CONSTRAINT = "--constraint requirements.lock"
RUNS = "emberline[chinese,connect,hdfs,play,subwords]"
"""What the running lock is made of: all extras but those for developers and for the other launcher."""


def lines_of(lock: str) -> list[str]:
    return [line for line in (ROOT / f"{lock}.lock").read_text().splitlines() if line != CONSTRAINT]


def locked(lock: str) -> dict[str, str]:
    """Versions by normalized name."""
    found = {}
    for line in lines_of(lock):
        name, _, version = line.partition("==")
        found[canonicalize_name(name)] = version
    return found


def needed(requirement: str) -> set[str]:
    """Names of all packages that one brings, itself left out, by what is installed here."""
    names, waiting, seen = set(), [Requirement(requirement)], set()
    while waiting:
        one = waiting.pop()
        if str(one) in seen:
            continue
        seen.add(str(one))
        names.add(canonicalize_name(one.name))
        for text in importlib.metadata.requires(one.name) or ():
            other = Requirement(text)
            extras = ("", *one.extras)
            if other.marker is None or any(other.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(other)
    return names - {"emberline"}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_plain_lines(lock: str) -> None:
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!_-]+", line) for line in lines_of(lock))


def test_the_running_lock_is_what_runs_and_nothing_else() -> None:
    assert set(locked("requirements")) == needed(RUNS)
    assert not {"tensorflowonspark", "pytest", "venv-pack"} & set(locked("requirements"))


def test_the_developers_lock_is_what_comes_on_top() -> None:
    assert (ROOT / "requirements-dev.lock").read_text().startswith(f"{CONSTRAINT}\n")
    running, on_top = set(locked("requirements")), set(locked("requirements-dev"))
    assert not running & on_top, "one place for each version"
    assert needed("emberline[dev]") <= running | on_top
    assert on_top <= needed("emberline[dev]")


def test_tools_agree_with_what_runs() -> None:
    ours, tools = locked("requirements") | locked("requirements-dev"), locked("requirements-tools")
    assert {name: version for name, version in tools.items() if ours.get(name, version) != version} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_version_has_hashes(lock: str) -> None:
    text = (ROOT / f"{lock}.hashes").read_text()
    assert "/" not in text, "an index, or a path"
    found = {}
    for line in text.splitlines():
        matched = re.fullmatch(r"([a-z0-9-]+)==(\S+)((?: --hash=sha256:[0-9a-f]{64})+)", line)
        assert matched, line[:100]
        found[matched[1]] = matched[2]
    assert found == locked(lock), f"requirements changed: run `make hashes`, and commit {lock}.hashes"


def make(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # Not the variables of the `make test` above it.
    inherited = {
        name: value for name, value in os.environ.items() if name not in ("HASHES", "MAKEFLAGS", "MAKEOVERRIDES")
    }
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=inherited | variables, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize(
    ("target", "files"),
    [
        (".venv/ready-by-hash", ["requirements.hashes", "requirements-dev.hashes"]),
        (".venv-run/ready-by-hash", ["requirements.hashes"]),
        (".venv-airflow/ready-by-hash", ["requirements-airflow.hashes"]),
        (".venv-tools/ready-by-hash", ["requirements-tools.hashes"]),
    ],
)
def test_every_installation_by_hash_is_strict(target: str, files: list[str]) -> None:
    said = make(ROOT, "--dry-run", "--always-make", target, "HASHES=1").stdout
    installed = [line for line in said.splitlines() if "pip install" in line and "--editable" not in line]
    assert all("--require-hashes" in line for line in installed)
    assert re.findall(r"--requirement (requirements\S+)", installed[-1]) == files
    assert ".lock" not in said
    assert all("--no-build-isolation" in line or "stdin" in line or "tools" in line for line in installed), (
        "pip would fetch what builds a package unchecked"
    )
    assert "--clear" in said, "what was installed before was not checked"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Our Makefile with locks of one small package, which lies in a folder."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "files").mkdir()
    wheel = tmp_path / "files" / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("small.py", "")
        archive.writestr("small-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1.0\n")
        archive.writestr("small-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("small-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "requirements-tools.lock").write_text("small==1.0\n")
    (tmp_path / "requirements-tools.hashes").write_text(f"small==1.0 --hash=sha256:{digest}\n")
    return tmp_path


def test_a_file_that_was_changed_is_refused(project: Path) -> None:
    local = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(project / "files"), "PIP_CONFIG_FILE": os.devnull}
    ready = project / ".venv-tools" / "ready-by-hash"
    done = make(project, ".venv-tools/ready-by-hash", "HASHES=1", **local)
    assert done.returncode == 0, done.stderr
    assert ready.exists()
    (wheel,) = (project / "files").iterdir()
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("another.py", "")
    os.utime(ready, (0, 0))  # older than the file of hashes, however coarse the clock is
    done = make(project, ".venv-tools/ready-by-hash", "HASHES=1", **local)
    assert done.returncode != 0
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert not ready.exists(), "it would count as installed"
    assert make(project, ".venv-tools/ready", **local).returncode == 0, "hashes are asked for, or not"
