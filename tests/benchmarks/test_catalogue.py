"""Every benchmark is in the catalogue, and runs in its tiny size."""

import ast
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.catalogue import CATALOGUE

ROOT = Path(__file__).parents[2]
TOOLS = {"figures"}
"""Programs that measure nothing themselves."""


def programs() -> set[str]:
    """Modules of the folder that have a `main` of no arguments, and are no process of another one."""
    found = set()
    for path in (ROOT / "benchmarks").glob("[a-z]*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name == "main" and not node.args.args:
                found.add(path.stem)
    return {name for name in found if not name.endswith("_process")}


def test_every_benchmark_is_in_the_catalogue() -> None:
    assert programs() - TOOLS == set(CATALOGUE)


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_what_a_benchmark_measures_is_there(name: str) -> None:
    lacking = [path for path in CATALOGUE[name].measures if not (ROOT / path).exists()]
    assert not lacking, "moved: name its new place"


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_a_benchmark_runs(name: str, tmp_path: Path) -> None:
    """Ratios are numbers, and the catalogue has an opponent for each. This build is its own older one."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--tiny"]
    command += ["--old", str(ROOT)] if CATALOGUE[name].old else []
    here = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    here |= {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=here, capture_output=True, text=True, check=False, timeout=1100)
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads(done.stdout.strip().splitlines()[-1])
    assert (told["benchmark"], told["size"]) == (name, "tiny")
    assert bool(told["ratios"]) == bool(CATALOGUE[name].opponents)
    for key, found in told["ratios"].items():
        assert CATALOGUE[name].opponent(key)
        assert all(math.isfinite(found[kind]) for kind in ("min", "median", "max"))
