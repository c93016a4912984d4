"""Vectors of words as a table: written beside a model, read again for neighbours, analogies, and other networks."""

import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from emberline.features import storage
from emberline.features.errors import BadInputError, nearest
from emberline.features.names import file_stem

VECTORS = "vectors"
"""Folder of the tables, in a model's."""


@dataclass(frozen=True)
class WordVectors:
    """Words and their vectors, by id.

    Args:
        words: The word of each id; ids behind the last word stand for words that are not listed.
        rows: float32 `[ids, dimension]`.
    """

    words: tuple[str, ...]
    rows: NDArray[np.float32]

    @classmethod
    def open(cls, uri: str) -> "WordVectors":
        """Reads what `write` wrote.

        Raises:
            BadInputError: if there is no such table.
        """
        try:
            table = pq.read_table(io.BytesIO(storage.read_bytes(uri)), columns=["word", "vector"])
        except (OSError, pa.ArrowException) as error:
            raise BadInputError(
                f"{uri!r} is no table of vectors: {error}. Expected the .parquet file in the folder {VECTORS!r} of a "
                "word2vec model."
            ) from error
        rows = table["vector"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
        return cls(tuple(word for word in table["word"].to_pylist() if word is not None), rows)

    def write(self, folder: str, name: str) -> None:
        """Writes `NAME.npy`, the rows by id, as `Embedding(initial=...)` takes them, and `NAME.parquet`, with words.

        Of a name that files cannot have, NAME is what `file_stem` makes of it.

        Args:
            folder: URI of a folder.
            name: Of the column.
        """
        stem = file_stem(name)
        plain = io.BytesIO()
        np.save(plain, self.rows)
        storage.write_bytes_atomic(storage.join(folder, f"{stem}.npy"), plain.getvalue())
        flat = pa.array(self.rows.ravel())
        words = [*self.words, *[None] * (len(self.rows) - len(self.words))]
        table = pa.table(
            {
                "id": pa.array(np.arange(len(self.rows))),
                "word": pa.array(words, pa.string()),
                "vector": pa.FixedSizeListArray.from_arrays(flat, self.rows.shape[1]),
            }
        )
        sink = io.BytesIO()
        pq.write_table(table, sink)
        storage.write_bytes_atomic(storage.join(folder, f"{stem}.parquet"), sink.getvalue())

    def nearest(self, word: str, count: int = 8) -> list[tuple[str, float]]:
        """Returns the words of the greatest cosines with `word`, itself left out.

        Raises:
            BadInputError: if the word has no vector.
        """
        return self._nearest(self._units[self._place(word)], {word}, count)

    def analogy(self, first: str, second: str, third: str, count: int = 1) -> list[tuple[str, float]]:
        """Returns the words that are to `third` as `second` is to `first`: nearest to second - first + third, those
        left out.

        Raises:
            BadInputError: if one of the words has no vector.
        """
        one, other, of = (self._units[self._place(word)] for word in (first, second, third))
        return self._nearest(other - one + of, {first, second, third}, count)

    def analogy_accuracy(self, questions: Iterable[Sequence[str]]) -> tuple[float, int]:
        """Returns the share of questions `(a, b, c, d)` of which `d` is the answer to a : b = c : ?, and how many were
        asked.

        Questions with a word that has no vector are not asked, as in Mikolov's `compute-accuracy`.
        """
        right, asked = 0, 0
        for first, second, third, answer in questions:
            if all(word in self._places for word in (first, second, third, answer)):
                asked += 1
                right += self.analogy(first, second, third)[0][0] == answer
        return right / max(asked, 1), asked

    def rows_for(self, words: Sequence[str], size: int) -> NDArray[np.float32]:
        """Returns the table of another vocabulary: zeros for words without a vector, and for ids behind the last word.

        Args:
            words: By id.
            size: Number of ids.
        """
        found = np.zeros((size, self.rows.shape[1]), np.float32)
        for place, word in enumerate(words):
            if word in self._places:
                found[place] = self.rows[self._places[word]]
        return found

    @cached_property
    def _units(self) -> NDArray[np.float32]:
        rows = self.rows[: len(self.words)]
        units: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
        return units

    @cached_property
    def _places(self) -> dict[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def _place(self, word: str) -> int:
        if word not in self._places:
            raise BadInputError(f"There is no vector of {word!r}. {nearest(word, self.words)}")
        return self._places[word]

    def _nearest(self, vector: NDArray[np.float32], left_out: set[str], count: int) -> list[tuple[str, float]]:
        cosines = self._units @ (vector / max(float(np.linalg.norm(vector)), 1e-12))
        order = np.argsort(-cosines)[: count + len(left_out)]
        found = [(self.words[place], float(cosines[place])) for place in order if self.words[place] not in left_out]
        return found[:count]


def read_questions(uri: str) -> list[tuple[str, ...]]:
    """Returns questions of four words a line; lines that begin with a colon are headings, as in `questions-words.txt`.

    Raises:
        BadInputError: for a line of another number of words.
    """
    lines = [line.split() for line in storage.read_text(uri).splitlines() if line.strip() and line[0] != ":"]
    if odd := next((line for line in lines if len(line) != 4), None):
        raise BadInputError(f"{uri!r} has the line {' '.join(odd)!r}; expected four words a line.")
    return [tuple(line) for line in lines]


def look(vectors: str, words: Sequence[str], questions: str | None, count: int) -> dict[str, object]:
    """Returns the neighbours of words, and the share of questions that are answered right: what `emberline neighbours`
    tells.

    Args:
        vectors: URI of the table.
        words: Words.
        questions: URI of questions, None for none.
        count: Neighbours of a word.

    Raises:
        BadInputError: if there is no table, a word has no vector, or the questions cannot be read.
    """
    table = WordVectors.open(vectors)
    found = {word: table.nearest(word, count) for word in words}
    for word, others in found.items():
        print(f"{word}: {', '.join(f'{other} {cosine:.2f}' for other, cosine in others)}", file=sys.stderr)
    result: dict[str, object] = {"words": len(table.words), "neighbours": found}
    if questions:
        accuracy, asked = table.analogy_accuracy(read_questions(questions))
        print(f"{accuracy:.1%} of {asked:,} analogies", file=sys.stderr)
        result |= {"analogy_accuracy": accuracy, "analogies": asked}
    return result
