"""Files of words, one per line: how long they are, and a local copy of them for TensorFlow's lookup tables.

A word may be followed by a tab and its count, as in learned vocabularies. Nothing here holds the words in memory.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from emberline.features import storage
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    import tensorflow as tf

_PIECE = 1 << 22


def _pieces(uri: str) -> Iterator[bytes]:
    try:
        with storage.open_input(uri) as stream:
            while piece := bytes(stream.read(_PIECE)):
                yield piece
    except OSError as error:
        raise BadInputError(f"The vocabulary file {uri!r} cannot be read: {error}") from error


@lru_cache(maxsize=256)
def count_lines(uri: str) -> int:
    """Returns the lines of the file, read once per process.

    Raises:
        BadInputError: if it cannot be read.
    """
    lines, last = 0, b"\n"
    for piece in _pieces(uri):
        lines, last = lines + piece.count(b"\n"), piece[-1:]
    return lines + (last != b"\n")


@lru_cache(maxsize=256)
def count_frequent(uri: str, minimum_count: int) -> int:
    """Returns the lines of a learned vocabulary, which fall by count, with at least `minimum_count`."""
    lines, rest = 0, b""
    for piece in _pieces(uri):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if int(line.rpartition(b"\t")[2]) < minimum_count:
                return lines
            lines += 1
    return lines


@lru_cache(maxsize=64)
def local_words(uri: str, words: int) -> str:
    """Returns the path of a local file with the first `words` lines, copied at most once per process.

    The file itself when it is local and has no more: then TensorFlow reads it where it lies.
    """
    if storage.is_local(uri) and count_lines(uri) == words:
        return storage.local_path(uri)
    folder = tempfile.mkdtemp(prefix="emberline-vocabulary-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = os.path.join(folder, uri.rpartition("/")[2])
    left = words
    with open(path, "wb") as copy:
        for piece in _pieces(uri):
            lines = piece.count(b"\n")
            if lines >= left:
                end = -1
                for _ in range(left):
                    end = piece.index(b"\n", end + 1)
                copy.write(piece[: end + 1])
                break
            copy.write(piece)
            left -= lines
    return path


def words_table(uri: str, words: int, *, counted: bool, to_counts: bool = False) -> "tf.lookup.StaticHashTable":
    """Returns a table from the first `words` words of a file to their places, -1 for others; in a SavedModel, an asset.

    Args:
        uri: The file.
        words: How many lines to take.
        counted: Whether the lines have counts.
        to_counts: To the counts instead of the places.
    """
    import tensorflow as tf

    initializer = tf.lookup.TextFileInitializer(
        local_words(uri, words),
        key_dtype=tf.string,
        key_index=0 if counted else tf.lookup.TextFileIndex.WHOLE_LINE,
        value_dtype=tf.int64,
        value_index=1 if to_counts else tf.lookup.TextFileIndex.LINE_NUMBER,
        vocab_size=words,
        delimiter="\t",
    )
    return tf.lookup.StaticHashTable(initializer, default_value=-1)
