"""Which code is running: the archive that was shipped, or the installed version."""

import pkgutil
import subprocess
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import emberline

VERSION = "0.1.0"

GIT_SECONDS = 10

BUNDLE = "bundle.txt"
"""At the top of an archive that `code_archive` wrote: its version and the beginning of its digest."""


@lru_cache(maxsize=1)
def code_version() -> str:
    """Returns the version of emberline that runs here; of a shipped archive with the beginning of its digest behind a
    `+`.
    """
    try:
        shipped = pkgutil.get_data("emberline", BUNDLE)
    except OSError:  # not in an archive
        shipped = None
    if shipped:
        return shipped.decode().strip()
    try:
        return version("emberline")
    except PackageNotFoundError:
        return VERSION


@lru_cache(maxsize=1)
def code_commit() -> str:
    """Returns the Git commit of the checkout that runs here; empty where the code is installed or shipped."""
    return commit_of(Path(emberline.__file__).resolve().parents[1])


def commit_of(root: Path) -> str:
    """Returns the Git commit of a checkout; empty where there is none."""
    if not (root / ".git").exists():
        return ""
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=True, timeout=GIT_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip()
