"""Pass one over the rows: how many there are, the words of every field, and where its numbers lie."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from emberline.features.analysis.partials import partial
from emberline.features.analysis.passes import (
    INFINITE,
    PRESENT,
    ROWS,
    Ranges,
    Runs,
    lengths_of,
    merge_numbers,
    values_of,
)
from emberline.features.analysis.sources import Chunk
from emberline.features.analysis.words import VocabularyWriter, WordCounts, text_mask
from emberline.features.schema import Field

ROW = -1
"""Number of the answer about the rows: how many, and the classes of their labels."""
CLASSES = -2
"""Number of the answer about the second label of classes; those about further ones count down from it."""
WORDS, LENGTHS = 1 << 20, 2 << 20
"""First numbers of the answers about words, and about how many texts the rows of a field hold."""


@dataclass(frozen=True)
class FirstPass:
    """Runs in executors.

    Args:
        numbers: Columns of numbers; what is found of the n-th has the number n.
        words: Fields whose values are counted; the n-th has the numbers `WORDS` + n and, if it holds several texts
            per row, `LENGTHS` + n.
        classes: Columns of class ids; what is found of the first is part of the answer about the rows.
    """

    numbers: tuple[str, ...]
    words: tuple[Field, ...]
    classes: tuple[str, ...]

    @property
    def columns(self) -> list[str]:
        """What it asks a chunk for."""
        return list(dict.fromkeys([*self.numbers, *(field.name for field in self.words), *self.classes]))

    def __call__(self, chunks: Iterator[Chunk]) -> Iterator[pa.RecordBatch]:
        first, *others = [Runs() for _ in self.classes] or [Runs()]
        ranges, words = [Ranges() for _ in self.numbers], [WordCounts() for _ in self.words]
        lengths = [Runs() for _ in self.words]
        for chunk in chunks:
            for rows in (first, *others):
                rows.fact(ROWS, chunk.num_rows)
            for rows, name in zip((first, *others), self.classes, strict=False):
                ids = values_of(chunk.column(name))
                rows.add_sorted(ids.values.astype(np.int64), ids.values, ids.counts)
            for range_, name in zip(ranges, self.numbers, strict=True):
                range_.add(chunk.column(name))
            for index, field in enumerate(self.words):
                _count_words(chunk.column(field.name), field, words[index], lengths[index])
                for blob in words[index].flush():
                    yield partial(WORDS + index, blob)
        yield partial(ROW, first.packed())
        for index, rows in enumerate(others):
            yield partial(CLASSES - index, rows.packed())
        for index, range_ in enumerate(ranges):
            yield partial(index, range_.runs.packed())
        for index, (counts, found) in enumerate(zip(words, lengths, strict=True)):
            for blob in counts.flush(least_bytes=0):
                yield partial(WORDS + index, blob)
            if found.parts:
                yield partial(LENGTHS + index, found.packed())


def _count_words(column: pa.ChunkedArray, field: Field, counts: WordCounts, lengths: Runs) -> None:
    if field.tokens:
        column = field.tokens.split_column(column)
    if pa.types.is_list(column.type):
        flat = pa.chunked_array([chunk.flatten() for chunk in column.chunks], column.type.value_type)
        if field.kind == "string":
            present, ends = lengths_of(column, text_mask(flat))
            if present:
                lengths.fact(PRESENT, present, *ends)
                lengths.fact(INFINITE, 0)
        column = flat
    counts.add_values(column)


@dataclass(frozen=True)
class FirstMerge:
    """Merges what `FirstPass` yields, also in executors.

    Args:
        vocabularies: Takes what was counted.
    """

    vocabularies: VocabularyWriter

    def __call__(self, number: int, partials: Iterable[pa.RecordBatch]) -> bytes:
        if WORDS <= number < LENGTHS:
            return self.vocabularies(number - WORDS, partials)
        return merge_numbers(number, partials)
