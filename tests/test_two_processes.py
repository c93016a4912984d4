"""How `make test` shares its tests out."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_tests_of_a_file_stay_in_one_process() -> None:
    """Else what a fixture of a file takes a minute to make is made twice."""
    (command,) = re.findall(r"-m pytest (-n 2 .*)", (ROOT / "Makefile").read_text())
    files = ["tests/test_layout.py", "tests/test_lazy_names.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *command.split(), *files],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    ran = re.findall(r"^\[(gw\d)\].* PASSED (tests/[\w.]+)::", done.stdout, re.MULTILINE)
    assert {file for _, file in ran} == set(files)
    assert len(set(ran)) == len(files), "each file in one process"
    assert len({process for process, _ in ran}) == 2
