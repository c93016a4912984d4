"""What Spark learns about texts: every different value of every field counted, ordered and written by Spark.

No list of words passes through the driver: one task per field takes the ordered words as Arrow batches, streams them to
the vocabulary file and answers with a few facts.
"""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from features import storage
from features.schema import MISSING_INTEGER, Field
from features.statistics import LearnedVocabulary

TOP_VALUES = 100
"""Most frequent values kept per field; a longer value than `TOP_LENGTH` characters is cut and ends in `…`."""
TOP_LENGTH = 200

UNWRITABLE = "[\t\n\r]"
"""What a line of a vocabulary file cannot hold."""

ATTEMPT = "attempt-"
"""How the name of a file begins that no task has answered for yet."""

_REPORT = "field int, facts string"
_COUNT_BITS = 44


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


def learn_words(
    rows: DataFrame, fields: Sequence[Field], needs: Mapping[str, Sequence[LearnedVocabulary]], folder: str
) -> dict[str, WordFacts]:
    """Counts the words of `fields` and writes the vocabularies that are needed.

    Args:
        rows: Checked rows.
        fields: Text fields, and integer fields, which count by their decimal text.
        needs: Vocabularies to write, by field.
        folder: URI of the folder for the vocabulary files.

    Returns:
        Facts by field; a field without any value has none.
    """
    if not fields:
        return {}
    # The leading 64 bits decide nearly every comparison of Spark's sort, so they hold both field and count.
    order = F.col("field").cast("bigint") * F.lit(1 << _COUNT_BITS) - F.col("count")
    ordered = (
        _words(rows, fields)
        .groupBy("field", "word")
        .agg(F.count(F.lit(1)).alias("count"))
        .repartition("field")
        .sortWithinPartitions(order, "word")
    )
    asked = {index: tuple(needs.get(field.name, ())) for index, field in enumerate(fields)}
    reports = ordered.mapInArrow(VocabularyWriter(asked, folder), _REPORT).collect()
    return {fields[int(row["field"])].name: WordFacts(**json.loads(row["facts"])) for row in reports}


def _words(rows: DataFrame, fields: Sequence[Field]) -> DataFrame:
    """One row per value: the index of its field, and the word."""
    single = [(index, field) for index, field in enumerate(fields) if not field.many and not field.shape]
    several = [(index, field) for index, field in enumerate(fields) if field.many or field.shape]
    frames = []
    if single:
        # An array of bare strings explodes several times faster than one of structs that name the field.
        words = F.posexplode(F.array(*(_text(field) for _, field in single))).alias("place", "word")
        places = F.array(*(F.lit(index) for index, _ in single))
        frames.append(rows.select(words).select(places[F.col("place")].alias("field"), "word"))
    for index, field_ in several:
        words = F.explode(_text(field_)).alias("word")
        frames.append(rows.select(words).select(F.lit(index).alias("field"), "word"))
    united = frames[0]
    for frame in frames[1:]:
        united = united.unionAll(frame)
    marks = ("", str(MISSING_INTEGER))
    integers = [index for index, field in enumerate(fields) if field.kind == "integer"]
    missing = F.col("word").isNull() | (F.col("word") == marks[0])
    if integers:
        missing |= F.col("field").isin(*integers) & (F.col("word") == marks[1])
    return united.where(~missing)


def _text(field: Field) -> Column:
    column = F.col(f"`{field.name}`")
    several = field.many or bool(field.shape)
    return column if field.kind == "string" else column.cast("array<string>" if several else "string")


class VocabularyWriter:
    """Runs in an executor: words ordered by field, falling count and value, to one file per needed vocabulary.

    Args:
        needs: Vocabularies to write, by index of the field.
        folder: URI of the folder that takes the files.
    """

    def __init__(self, needs: Mapping[int, tuple[LearnedVocabulary, ...]], folder: str) -> None:
        self.needs, self.folder = dict(needs), folder

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        current, facts, stream = -1, WordFacts(), None
        try:
            for batch in batches:
                ids = batch.column("field").to_numpy()
                cuts = [0, *(np.flatnonzero(ids[1:] != ids[:-1]) + 1).tolist(), len(ids)]
                for start, end in pairwise(cuts if len(ids) else []):
                    index = int(ids[start])
                    if index != current:
                        if stream is not None:
                            stream.close()
                        if current >= 0:
                            yield _report(current, facts)
                        current, facts, stream = index, WordFacts(), None
                        if self.needs[index]:
                            # The attempt is in the name: a repeated task never touches another's file.
                            facts.path = f"{ATTEMPT}{uuid.uuid4().hex}"
                            stream = storage.open_output(storage.join(self.folder, facts.path))
                    part = batch.slice(start, end - start)
                    _count(facts, part.column("word"), part.column("count"))
                    if stream is not None:
                        _write(facts, part, self.needs[index], stream)
        finally:
            if stream is not None:
                stream.close()
        if current >= 0:
            yield _report(current, facts)


def _report(index: int, facts: WordFacts) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(
        [{"field": index, "facts": json.dumps(vars(facts))}],
        schema=pa.schema([("field", "int32"), ("facts", "string")]),
    )


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
        lines = pc.binary_join_element_wise(part.column("word"), part.column("count").cast(pa.string()), "\t")
        text = pc.binary_join(pa.ListArray.from_arrays(pa.array([0, len(lines)], pa.int32()), lines), "\n")
        stream.write(text[0].as_buffer())
        stream.write(b"\n")
