"""Messages of a chat service: is a message spam?

Official format: `msgpass.log.seg` and `msgspam.log.seg`, one message per line, its words separated by blanks, digits
masked as x. A message without blanks is read too: its words are found when it enters the network.
Source: github.com/pakrchen/text-antispam.

There is no official split. A fifth of the messages, chosen by a hash of their text, is held out: the same on every
machine, and equal messages always lie on the same side.
"""

from typing import ClassVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.tokens import Tokens
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.generators.sentiment_texts import opinionated_texts
from emberline.pipelines.datasets.readers.raw_table import (
    file_name,
    input_files,
    read_named,
    row_key,
    text_rows,
)
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts, write_lines

SCHEMA = Schema(
    fields=(Field("message", "string", required=True, tokens=Tokens()),),
    label=Label("verdict", classes=(("pass",), ("spam",))),
    key="row",
)

FILES = {"pass": "msgpass.log.seg", "spam": "msgspam.log.seg"}

HELD_OUT = 5
"""One message in so many is held out."""

ROWS, WORDS, LENGTH = 8_000, 2_000, 6
"""Of the synthetic stand-in: messages, different words, and words of a message in the mean."""


class Antispam:
    """Reads the official files, a text file of messages without verdicts, or a Parquet table with the column names."""

    name: ClassVar[str] = "antispam"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the two files, a file of messages, or a Parquet table.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing, or one of the two files is missing.
        """
        found = input_files(uri)
        if any(file.uri.endswith(".parquet") for file in found):
            rows = read_named(spark, uri, SCHEMA)
        else:
            official = [file for file in found if file_name(file.uri) in FILES.values()]
            if split and len(official) < len(FILES):
                names = [file_name(file.uri) for file in official]
                raise BadInputError(
                    f"{uri!r} holds {names}; the file name has the verdict: expected {list(FILES.values())}."
                )
            rows = text_rows(spark, official or found, SCHEMA.key, parse)
        if not split:
            return rows
        side = F.conv(F.substring(row_key(F.trim(F.col("message"))), 1, 8), 16, 10).cast("bigint") % HELD_OUT
        return rows.where(side == 0 if split == "eval" else side != 0)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes both files with synthetic messages of a Zipf-distributed language, in which spam likes some words
        more.

        The best scores are those of the true probability of spam given all words.
        """
        made = opinionated_texts([_word(number) for number in range(WORDS)], ROWS, LENGTH, seed)
        for side, name in enumerate(FILES.values()):
            write_lines(
                directory,
                name,
                [text for text, verdict in zip(made.texts, made.verdicts, strict=True) if verdict == side],
            )
        return write_facts(directory, Synthetic(made.best, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Antispam()


def parse(lines: DataFrame) -> DataFrame:
    """Returns messages, with the verdict that their file tells.

    Args:
        lines: `_raw` (one line each) and `_source`.

    Returns:
        `message`, `verdict` (null in other files than the official ones), the key, `_raw`, `_source` and `_fault`.
        Empty lines are not rows.
    """
    message = F.trim(F.col(RAW))
    verdict = F.lit(None).cast("string")
    for name, file in FILES.items():
        verdict = F.when(F.col(SOURCE) == file, F.lit(name)).otherwise(verdict)
    return lines.where(message != "").select(
        row_key(message).alias(SCHEMA.key),
        message.alias("message"),
        verdict.alias("verdict"),
        F.col(RAW),
        F.col(SOURCE),
        F.lit(None).cast("string").alias(FAULT),
    )


def _word(number: int) -> str:
    """Returns a synthetic word of one to three Chinese characters."""
    characters = ""
    number += 1
    while number:
        characters += chr(0x4E00 + number % 97)
        number //= 97
    return characters
