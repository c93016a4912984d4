"""Plain text, for vectors of its words: lower-case letters and blanks, as `text8` is, or any words between blanks.

Official format: one text file, compressed or not, of any number of lines (text8, the first 10^8 bytes of cleaned
Wikipedia, is a single one); or a folder of such files. Source: mattmahoney.net/dc/textdata.

A tenth of its passages of 200 words, chosen by a hash of the words, is held out.
"""

from typing import ClassVar

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.schema import Schema
from emberline.pipelines.datasets.readers.passages import CutPassages, passage_schema, passages
from emberline.pipelines.datasets.readers.raw_table import input_files, read_named
from emberline.pipelines.datasets.splits import held_out
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts, write_lines

SCHEMA = passage_schema("vectors")

PASSAGE = 200
"""Words of a row. Pairs of words do not cross its ends."""

PAIRS, TOPIC_WORDS, KIND_WORDS, FILLERS, SENTENCES = 20, 4, 12, 300, 24_000
"""Of the synthetic stand-in: pairs of words, words of each pair's topic and of each kind, all others, and sentences."""


class Text8:
    """Reads plain text, or a Parquet table with the columns `text` and `words`."""

    name: ClassVar[str] = "text8"
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
            rows = passages(spark, texts, CutPassages(PASSAGE))
        if not split:
            return rows
        held = held_out(F.col(SCHEMA.key))
        return rows.where(held if split == "eval" else ~held)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes a text in which the words `a0`, `a1`, … and `b0`, `b1`, … have neighbours that tell what they are.

        A sentence has one of them, words of the topic that `a7` and `b7` share, words that all of `a` or all of `b`
        have about them, and others. So a7 is to b7 as a3 is to b3.
        """
        draw = np.random.default_rng(seed)
        chosen = 1.0 / (np.arange(FILLERS) + 5.0)
        fillers = draw.choice(FILLERS, (SENTENCES, 5), p=chosen / chosen.sum())
        lines = []
        for pair, kind, others in zip(
            draw.integers(0, PAIRS, SENTENCES), draw.integers(0, 2, SENTENCES), fillers, strict=True
        ):
            words = [f"{'ab'[kind]}{pair}", *(f"w{word}" for word in others)]
            words += [f"t{pair}x{word}" for word in draw.integers(0, TOPIC_WORDS, 3)]
            words += [f"{'ab'[kind]}like{word}" for word in draw.integers(0, KIND_WORDS, 3)]
            lines.append(" ".join(draw.permutation(words)))
        write_lines(directory, "text", lines)
        return write_facts(directory, Synthetic({}, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Text8()
