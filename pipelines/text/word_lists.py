"""Words of raw texts, counted in Spark, for columns that cut texts into them: `Segments(field, file=...)`.

The libraries that find the words are needed here alone: what cuts a text in the ETL and in front of the exported model
is the same graph, and reads nothing but the list.
"""

import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.output_folder import require_apart, require_replaceable_file

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

By = Literal["space", "jieba", "bpe"]

EXTRAS = {"jieba": ("jieba", "chinese"), "bpe": ("sentencepiece", "subwords")}
"""The library of each way, and the extra that brings it."""

_LISTED = re.compile(rb"[^\t\n]+\t[0-9]+(?:\n|$)")
"""How a list begins."""


@dataclass(frozen=True)
class WordList:
    """What was written.

    Args:
        output: URI of the file: a word, a tab and its count in each line, by falling count.
        words: Lines in it.
        counted: Words of the texts, all together.
        longest: Characters of the longest word: `longest` of the column.
    """

    output: str
    words: int
    counted: int
    longest: int


def learn_words(
    spark: "SparkSession", source: str, output: str, *, by: By = "space", size: int = 0, minimum_count: int = 1
) -> WordList:
    """Counts the words of text files.

    Args:
        spark: The session.
        source: URI of text files.
        output: URI of the file to write; an older list is replaced.
        by: `space`: words between blanks; `jieba`: Chinese words; `bpe`: pieces of words between blanks, by byte-pair
            encoding (Sennrich, Haddow, Birch, "Neural Machine Translation of Rare Words with Subword Units").
        size: At most so many words; 0 for all. Of `bpe`, how many pieces are learned.
        minimum_count: Leave out words rarer than this; of `bpe`, words that pieces are not learned from.

    Raises:
        BadInputError: if there is nothing to read or no word in it, the library is missing, `bpe` has no size, or the
            output lies in what is read, or is something else than a list of words.
    """
    from emberline.pipelines.datasets.readers.raw_table import require_input, text_lines

    require_apart(output, {"--input": source})
    require_replaceable_file(output, "list of words", lambda head: bool(_LISTED.match(head)))
    if by == "bpe" and size < 1:
        raise BadInputError("Pieces of words are learned up to a number of them: give --size, such as 8000.")
    if by in EXTRAS:
        _require(*EXTRAS[by])
    lines = text_lines(spark, require_input(source)).select("_raw")
    counts = {word: count for word, count in _counted(lines, by).items() if count >= minimum_count}
    if by == "bpe":
        counts = pieces(counts, size)
    if not counts:
        raise BadInputError(f"The texts at {source!r} hold no word that is seen {minimum_count} times.")
    listed = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[: size or None]
    storage.write_text_atomic(output, "".join(f"{word}\t{count}\n" for word, count in listed))
    return WordList(output, len(listed), sum(counts.values()), max(len(word) for word, _ in listed))


def _require(library: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(library) is None:
        raise BadInputError(f"The library {library} is not installed: pip install 'emberline[{extra}]'.")


def _counted(lines: "DataFrame", by: By) -> dict[str, int]:
    from pyspark.sql import functions as F

    found = lines.mapInArrow(CountWords("jieba" if by == "jieba" else "space"), "word string, count bigint")
    rows = found.groupBy("word").agg(F.sum("count").alias("count")).collect()
    return {row["word"]: int(row["count"]) for row in rows}


@dataclass(frozen=True)
class CountWords:
    """Runs in executors: lines in, their words with counts out; for `mapInArrow`.

    Args:
        by: `space` or `jieba`.
    """

    by: Literal["space", "jieba"]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        counts: Counter[str] = Counter()
        for batch in batches:
            for line in batch.column(0).to_pylist():
                counts.update(self._words(line))
        yield pa.RecordBatch.from_pydict(
            {"word": pa.array(list(counts), pa.string()), "count": pa.array(list(counts.values()), pa.int64())}
        )

    def _words(self, line: str) -> Iterable[str]:
        if self.by == "space":
            return line.split()
        import jieba

        jieba.setLogLevel("WARNING")
        return (word.strip() for word in jieba.cut(line) if word.strip())


def pieces(counts: Mapping[str, int], size: int) -> dict[str, int]:
    """Returns the pieces that byte-pair encoding learns from counted words, and how often each occurs, at least once.

    Args:
        counts: Words.
        size: At most so many pieces, every character among them.

    Raises:
        BadInputError: if the words have more different characters.
    """
    import sentencepiece

    characters = {character for word in counts for character in word}
    if len(characters) >= size:
        raise BadInputError(
            f"The texts have {len(characters):,} different characters, and --size is {size:,}. Raise it."
        )
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "words.tsv"
        table.write_text("".join(f"{word}\t{count}\n" for word, count in counts.items()))
        sentencepiece.SentencePieceTrainer.train(
            input=str(table),
            input_format="tsv",
            model_prefix=os.path.join(folder, "pieces"),
            model_type="bpe",
            vocab_size=size + 1,
            hard_vocab_limit=False,
            character_coverage=1.0,
            add_dummy_prefix=False,
            normalization_rule_name="identity",
            bos_id=-1,
            eos_id=-1,
            minloglevel=2,
        )
        model = sentencepiece.SentencePieceProcessor(model_file=os.path.join(folder, "pieces.model"))
        found = Counter({model.id_to_piece(piece): 0 for piece in range(1, model.get_piece_size())})
        for word, count in counts.items():
            for piece in model.encode(word, out_type=str):
                found[piece] += count
    # A piece that other pieces have taken the place of may still be all that is left of a word never seen.
    return {piece: max(count, 1) for piece, count in found.items()}
