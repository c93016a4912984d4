"""Which code is running: the installed version, or the one in the shipped archive."""

from importlib.metadata import PackageNotFoundError, version

VERSION = "0.1.0"


def code_version() -> str:
    """The version of emberline that runs here."""
    try:
        return version("emberline")
    except PackageNotFoundError:  # shipped as a .zip, nothing installed
        return VERSION
