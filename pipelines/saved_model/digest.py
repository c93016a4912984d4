"""What tells whether a model is still the one that was trained: a digest of its files."""

import hashlib
from pathlib import Path

from emberline.features.errors import BadInputError

TAG = "emberline.model_digest"
"""Tag of a run and of a registered version."""


class ModelChangedError(BadInputError):
    """Files of a model that are not those that were exported."""


def model_digest(folder: str | Path) -> str:
    """Returns SHA-256 over the names and bytes of all files of a local folder.

    Raises:
        ModelChangedError: if one of them is a link, which might lead anywhere.
    """
    found = hashlib.sha256()
    for path in Path(folder).rglob("*"):
        if path.is_symlink():
            raise ModelChangedError(f"{path} is a link: a model consists of files. Export it again.")
    for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        found.update(f"{path.relative_to(folder)}\n".encode() + content)
    return found.hexdigest()


def require_unchanged(folder: str | Path, digest: str, called: str) -> None:
    """Compares a model's files with the digest that was noted when it was exported.

    Args:
        folder: Local folder of the SavedModel.
        digest: What was noted; empty where nothing was, by an older version: then nothing is compared.
        called: The model's name, for the error.

    Raises:
        ModelChangedError: if they differ.
    """
    if digest and (found := model_digest(folder)) != digest:
        raise ModelChangedError(
            f"The files of {called} are not those that were exported: their digest is {found[:12]}…, noted is "
            f"{digest[:12]}…. Somebody changed them, or they were damaged. Take another version, or train again."
        )
