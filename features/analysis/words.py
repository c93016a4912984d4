"""What Spark learns about texts: every different value of every field counted, ordered and written by executors.

No list of words passes through the driver: a task counts the words of its rows, field by field; one task per field
merges the counts, streams the ordered words to the vocabulary file and answers with a few facts. That task holds the
different values of one field as Arrow, some three times 12 bytes and their text each.
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from emberline.features import storage
from emberline.features.analysis.partials import packed
from emberline.features.schema import MISSING_INTEGER
from emberline.features.statistics import LearnedVocabulary

TOP_VALUES = 100
"""Most frequent values kept per field; a longer value than `TOP_LENGTH` characters is cut and ends in `…`."""
TOP_LENGTH = 200

UNWRITABLE = "[\t\n\r]"
"""What a line of a vocabulary file cannot hold."""

ATTEMPT = "attempt-"
"""How the name of a file begins that no task has answered for yet."""

_COMPACT = 1 << 20
_FLUSH_BYTES = 64 << 20
_BLOB_BYTES = 8 << 20
_SLICE = 1 << 18
# Offsets of 64 bits: the words of a field may be longer than 2 GiB together.
_COUNTS = pa.schema([("word", pa.large_string()), ("count", pa.int64())])


@dataclass
class WordFacts:
    """What was learned about the words of one field; `path` is the name of the file, before it is published."""

    values: int = 0
    distinct: int = 0
    shortest: int | None = None
    longest: int = 0
    characters: int = 0
    top: list[tuple[str, int]] = field(default_factory=list)
    words: int = 0
    cuts: dict[int, int] = field(default_factory=dict)
    path: str = ""


@dataclass
class WordCounts:
    """Counts by word of one field."""

    parts: list[pa.RecordBatch] = field(default_factory=list)
    waiting: int = 0

    def add(self, part: pa.RecordBatch) -> None:
        """Adds further counts; a word may occur again."""
        self.parts.append(part)
        self.waiting += part.num_rows
        if self.waiting > max(_COMPACT, 2 * self.parts[0].num_rows):
            self.parts = [self.merged()]
            self.waiting = 0

    def add_values(self, values: pa.ChunkedArray) -> None:
        """Counts texts, or integers by their decimal text; missing values do not count."""
        different, counts = pc.value_counts(values).flatten()
        missing = pa.scalar(MISSING_INTEGER if pa.types.is_integer(values.type) else "", values.type)
        part = pa.record_batch({"word": different, "count": counts})
        part = part.filter(pc.not_equal(different, missing))  # neither is null: its comparison is null
        self.add(part.cast(_COUNTS))

    def merged(self) -> pa.RecordBatch:
        """Returns every word once."""
        if len(self.parts) == 1:
            return self.parts[0]
        words, counts = pa.Table.from_batches(self.parts, _COUNTS).columns
        # Several times faster than grouping such texts; sums of floats are exact up to 2 ** 53.
        encoded = words.combine_chunks().dictionary_encode()
        sums = np.bincount(encoded.indices.to_numpy(), counts.to_numpy()).astype(np.int64)
        return pa.record_batch([encoded.dictionary, pa.array(sums)], schema=_COUNTS)

    def flush(self, *, least_bytes: int = _FLUSH_BYTES) -> Iterator[bytes]:
        """Yields all counts as blobs of a few MiB, once there are `least_bytes` of them, and forgets them."""
        if not self.parts or sum(part.nbytes for part in self.parts) < least_bytes:
            return
        every = self.merged()
        self.parts = []
        self.waiting = 0
        rows = max(1, every.num_rows * _BLOB_BYTES // max(1, every.nbytes))
        for start in range(0, every.num_rows, rows):
            part = every.slice(start, rows)
            yield packed({"word": part.column("word"), "count": part.column("count")})


def text_mask(values: pa.ChunkedArray) -> Any:
    """Returns which texts are values: neither null nor empty, as a numpy array."""
    return pc.fill_null(pc.not_equal(values, ""), False).to_numpy()


@dataclass(frozen=True)
class VocabularyWriter:
    """Merges the counted words of one field and writes them, ordered by falling count and value, where that is needed.

    Args:
        needs: Vocabularies to write, by number of the field.
        folder: URI of the folder that takes the files.
    """

    needs: Mapping[int, tuple[LearnedVocabulary, ...]]
    folder: str

    def __call__(self, number: int, partials: Iterable[pa.RecordBatch]) -> bytes:
        counts = WordCounts()
        for part in partials:
            counts.add(part)
        every = counts.merged()
        order = pc.sort_indices(every, [("count", "descending"), ("word", "ascending")])
        parts = (every.take(order.slice(start, _SLICE)) for start in range(0, len(order), _SLICE))
        facts, needs = WordFacts(), self.needs.get(number, ())
        if not needs:
            for part in parts:
                _count(facts, part.column("word"), part.column("count"))
            return json.dumps(vars(facts)).encode()
        # The attempt is in the name: a repeated task never touches another's file.
        facts.path = f"{ATTEMPT}{uuid.uuid4().hex}"
        with storage.open_output(storage.join(self.folder, facts.path)) as stream:
            for part in parts:
                _count(facts, part.column("word"), part.column("count"))
                _write(facts, part, needs, stream)
        return json.dumps(vars(facts)).encode()


def facts_of(answer: bytes) -> WordFacts:
    """Returns what a `VocabularyWriter` answered."""
    return WordFacts(**json.loads(answer))


def _count(facts: WordFacts, words: pa.Array, counts: pa.Array) -> None:
    lengths = pc.utf8_length(words).cast(pa.int64())
    ends = pc.min_max(lengths).as_py()
    facts.values += pc.sum(counts).as_py()
    facts.distinct += len(words)
    facts.characters += pc.sum(pc.multiply(lengths, counts)).as_py()
    facts.shortest = ends["min"] if facts.shortest is None else min(facts.shortest, ends["min"])
    facts.longest = max(facts.longest, ends["max"])
    wanted = TOP_VALUES - len(facts.top)
    if wanted > 0:
        first = zip(words.slice(0, wanted).to_pylist(), counts.slice(0, wanted).to_pylist(), strict=True)
        facts.top += [(word if len(word) <= TOP_LENGTH else f"{word[:TOP_LENGTH]}…", count) for word, count in first]


def _write(facts: WordFacts, part: pa.RecordBatch, needs: Sequence[LearnedVocabulary], stream: Any) -> None:
    """Appends the words that some need wants: those of each are the first ones, so those of all are, too."""
    part = part.filter(pc.invert(pc.match_substring_regex(part.column("word"), UNWRITABLE)))
    counts = part.column("count").to_numpy()
    places = facts.words + np.arange(len(counts))
    wanted = np.zeros(len(counts), bool)
    for need in needs:
        wanted |= (counts >= need.minimum_count) & ((places < need.size) if need.size else True)
    part = part.slice(0, int(wanted.sum()))
    counts = counts[: part.num_rows]
    facts.words += part.num_rows
    for need in needs:
        facts.cuts.setdefault(need.minimum_count, 0)
    for key in facts.cuts:
        facts.cuts[key] += int((counts >= key).sum())
    if part.num_rows:
        wide, end = pa.large_string(), pa.scalar("", pa.large_string())
        numbers = part.column("count").cast(wide)
        lines = pc.binary_join_element_wise(part.column("word"), numbers, pa.scalar("\t", wide))
        lines = pc.binary_join_element_wise(lines, end, pa.scalar("\n", wide))
        stream.write(lines.buffers()[2][: pc.sum(pc.binary_length(lines)).as_py()])
