"""Polars, the engine we compare with, in a folder of its own: `.venv-polars`, which is made on demand by pip.

It needs nothing but itself, so it is put before the packages of the process that uses it, and no lock holds it.
"""

import subprocess
import sys
from pathlib import Path

VERSION = "2.1.0"
_FOLDER = Path(__file__).parents[1] / ".venv-polars"


class OpponentError(RuntimeError):
    """Polars could not be installed; the message holds what pip said."""


def library(install: bool = True) -> Path:
    """Returns the folder to put on the path.

    Args:
        install: Whether to make it when it is missing.

    Raises:
        OpponentError: with the end of pip's output, or if it is missing and may not be made.
    """
    if (_FOLDER / "polars").is_dir():
        return _FOLDER
    if not install:
        raise OpponentError(f"Its folder {_FOLDER.name} is missing, and a tiny run makes none.")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(_FOLDER), f"polars=={VERSION}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        raise OpponentError(f"Polars could not be installed: {result.stderr.strip()[-500:]}")
    return _FOLDER
