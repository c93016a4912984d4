"""Long texts as rows: passages of so many words each, cut in the executors, in the order of the text."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.schema import Field, Label, Purpose, Schema
from features.tokens import Tokens
from features.validation.rows import FAULT, RAW, SOURCE
from pipelines.datasets.raw_table import row_key

SLICE = 1 << 20
"""Characters of a line that are split at a time: some corpora are one line."""


def passage_schema(purpose: Purpose) -> Schema:
    """Rows of a passage: `text`, its number of `words`, and the key `row`."""
    fields = (Field("text", "string", required=True, tokens=Tokens()),)
    return Schema(fields, Label("words", minimum=1, purpose=purpose), "row")


@dataclass(frozen=True)
class CutPassages:
    """Runs in executors: lines in, passages out; for `mapInArrow`.

    Args:
        words: Of a passage; the last of a file's part may have fewer.
        overlap: Words that a passage begins with, taken from the end of the one before.
        line_end: A word that stands for the end of a line; empty for none.
    """

    words: int
    overlap: int = 0
    line_end: str = ""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        waiting: list[str] = []
        source = ""
        for batch in batches:
            lines, sources = batch.column(RAW).to_pylist(), batch.column(SOURCE).to_pylist()
            passages = []
            for line, its in zip(lines, sources, strict=True):
                if its != source:
                    if len(waiting) > self.overlap:
                        passages.append((" ".join(waiting), source))
                    waiting, source = [], its
                for piece in self._words(line):
                    waiting += piece
                    start, step = 0, self.words
                    while len(waiting) - start >= step:
                        passages.append((" ".join(waiting[start : start + step]), source))
                        start += step - self.overlap
                    waiting = waiting[start:]
            if passages:
                yield _batch(passages)
        if len(waiting) > self.overlap:
            yield _batch([(" ".join(waiting), source)])

    def _words(self, line: str) -> Iterator[list[str]]:
        rest = ""
        for start in range(0, len(line), SLICE):
            text = rest + line[start : start + SLICE]
            rest = text[len(text.rstrip()) :] if text[-1:].isspace() else text.rpartition(" ")[2]
            yield text[: len(text) - len(rest)].split()
        yield rest.split() + ([self.line_end] if self.line_end and line.strip() else [])


def _batch(passages: list[tuple[str, str]]) -> pa.RecordBatch:
    texts, sources = zip(*passages, strict=True)
    return pa.RecordBatch.from_pydict({"text": pa.array(texts), SOURCE: pa.array(sources)})


def passages(lines: DataFrame, cut: CutPassages) -> DataFrame:
    """Raw rows of passages: `text`, `words`, the key, `_raw`, `_source` and `_fault`.

    Args:
        lines: `_raw` (one line each) and `_source`, each partition a piece of a file in its order.
        cut: How they are cut.
    """
    text = F.col("text")
    return lines.mapInArrow(cut, f"text string, {SOURCE} string").select(
        text,
        F.size(F.split(text, " ")).cast("string").alias("words"),
        row_key(text).alias("row"),
        text.alias(RAW),
        F.col(SOURCE),
        F.lit(None).cast("string").alias(FAULT),
    )
