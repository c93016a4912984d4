"""Sentences and their translations, one pair per line, divided by a tab; what comes behind a second tab is not read.

Official format: the archives of manythings.org/anki, made from Tatoeba: `fra.txt` holds
`sentence <tab> translation <tab> attribution`.

A tenth of the pairs, chosen by a hash of the sentence, is held out: all translations of a sentence lie on one side.
"""

from typing import ClassVar

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.schema import Field, Label, Schema
from emberline.features.tokens import Tokens
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.raw_table import input_files, read_named, row_key, text_rows
from emberline.pipelines.datasets.splits import held_out
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts, write_lines

TOKENS = Tokens(lower=True, replace=((r"([^\p{L}\p{N}\s'])", " \\1 "),))
"""Marks are words of their own."""

SCHEMA = Schema(
    fields=(Field("source", "string", required=True, tokens=TOKENS), Field("target", "string", tokens=TOKENS)),
    label=Label("words", purpose="translation", writes="target"),
    key="row",
)

PAIRS, NOUNS, ADJECTIVES, VERBS = 12_000, 30, 12, 15
"""Of the synthetic stand-in: pairs, and different words of each kind."""


class SentencePairs:
    """Reads tab-separated pairs, or a Parquet table with the columns `source`, `target` and `words`."""

    name: ClassVar[str] = "sentence_pairs"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: A text file, a folder of them, or a Parquet table.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing.
        """
        found = input_files(uri)
        if any(file.uri.endswith(".parquet") for file in found):
            rows = read_named(spark, uri, SCHEMA)
        else:
            texts = [file for file in found if not file.uri.endswith(".json")]
            rows = text_rows(spark, texts, SCHEMA.key, parse)
        if not split:
            return rows
        held = held_out(F.col("source"))
        return rows.where(held if split == "eval" else ~held)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes sentences of a synthetic language with their translations, which a rule tells: the best BLEU is 1.

        `NOUN ADJECTIVE* VERB NOUN ADJECTIVE*` becomes `ADJECTIVE* NOUN ADJECTIVE* NOUN VERB` in other words, and the
        verb's ending agrees with its first noun.
        """
        draw = np.random.default_rng(seed)

        def phrase() -> tuple[list[str], list[str], int]:
            noun = int(draw.integers(NOUNS))
            adjectives = [int(number) for number in draw.integers(0, ADJECTIVES, draw.integers(0, 3))]
            return (
                [f"n{noun}", *(f"a{number}" for number in adjectives)],
                [*(f"adj{number}" for number in reversed(adjectives)), f"noun{noun}"],
                noun,
            )

        lines = []
        for verb in draw.integers(0, VERBS, PAIRS):
            (who, its_who, noun), (whom, its_whom, _) = phrase(), phrase()
            source = [*who, f"v{verb}", *whom, "."]
            target = [*its_who, *its_whom, f"verb{verb}{'s' if noun % 2 else 'en'}", "."]
            lines.append(f"{' '.join(source)}\t{' '.join(target)}")
        write_lines(directory, "pairs.txt", lines)
        return write_facts(directory, Synthetic({"bleu": 1.0}, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = SentencePairs()


def parse(lines: DataFrame) -> DataFrame:
    """Returns pairs; a line without a tab is rejected.

    Args:
        lines: `_raw` (one line each) and `_source`.
    """
    parts = F.split(F.col(RAW), "\t")
    return pair_rows(lines.where(F.trim(RAW) != ""), parts[0], F.get(parts, F.lit(1)), F.size(parts) < 2)


def pair_rows(rows: DataFrame, source: "F.Column", target: "F.Column", faulty: "F.Column", *kept: str) -> DataFrame:  # type: ignore[name-defined]
    """Returns raw rows of pairs of texts.

    Args:
        rows: With `_raw` and `_source`.
        source: The text that is read.
        target: The one that is written.
        faulty: Whether a row is no pair.
        kept: Further columns that stay.
    """
    return rows.select(
        F.trim(source).alias("source"),
        F.trim(target).alias("target"),
        F.size(F.split(F.trim(target), r"\s+")).cast("string").alias("words"),
        row_key(F.col(RAW)).alias("row"),
        F.col(RAW),
        F.col(SOURCE),
        F.when(faulty, F.lit("expected two texts divided by a tab")).alias(FAULT),
        *kept,
    )
