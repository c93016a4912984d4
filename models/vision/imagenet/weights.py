"""Weight files that users bring along: fetched, checked, and loaded into a network by name of layers."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Weights:
    """A file of weights.

    Args:
        uri: The file, in Keras' format, `….h5` or `….weights.h5`; every worker must be able to read it. Empty: none,
            the network starts from random weights.
        sha256: What the file hashes to, in hexadecimal digits.

    Raises:
        BadInputError: for a file without its hash.
    """

    uri: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        if self.uri and len(self.sha256) != 64:
            raise BadInputError(
                f"weights.uri={self.uri!r} needs weights.sha256, 64 hexadecimal digits, got {self.sha256!r}. "
                "Print them with: sha256sum FILE."
            )


def load(weights: Weights, model: "keras.Model") -> None:
    """Loads the weights of a file into a network; does nothing if there is no file.

    Args:
        weights: Which file.
        model: A network of the same layers.

    Raises:
        BadInputError: if the file is missing, is another than was meant, or is one of another network.
    """
    from emberline.features import storage

    if not weights.uri:
        return
    if not storage.exists(weights.uri):
        raise BadInputError(f"There is no weight file at {weights.uri!r}. Give weights.uri an address that exists.")
    content = storage.read_bytes(weights.uri)
    found = hashlib.sha256(content).hexdigest()
    if found != weights.sha256.lower():
        raise BadInputError(
            f"The weight file {weights.uri!r} has the SHA-256 {found}, expected {weights.sha256}. Fetch it again, or "
            "correct weights.sha256."
        )
    with tempfile.TemporaryDirectory() as folder:
        # Keras tells formats apart by the ends of names.
        copy = Path(folder) / weights.uri.rstrip("/").rsplit("/", 1)[-1]
        copy.write_bytes(content)
        try:
            model.load_weights(str(copy))
        except ValueError as error:
            raise BadInputError(
                f"The weight file {weights.uri!r} does not fit the network {model.name!r}: {error}"
            ) from error
