"""Which code is running: the installed version, or the one in the shipped archive."""

import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

VERSION = "0.1.0"


def code_version() -> str:
    """The version of emberline that runs here."""
    try:
        return version("emberline")
    except PackageNotFoundError:  # shipped as a .zip, nothing installed
        return VERSION


@lru_cache(maxsize=1)
def code_commit() -> str:
    """The Git commit of the checkout that runs here; empty where the code is installed or shipped."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return ""
    try:
        asked = subprocess.run(
            ["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return asked.stdout.strip()
