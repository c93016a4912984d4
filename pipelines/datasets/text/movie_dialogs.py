"""Lines of films and what was said next: the Cornell Movie-Dialogs Corpus.

Official format: `movie_lines.txt` (`L1045 +++$+++ u0 +++$+++ m0 +++$+++ BIANCA +++$+++ They do not!`) and
`movie_conversations.txt` (`u0 +++$+++ u2 +++$+++ m0 +++$+++ ['L194', 'L195']`), in ISO 8859-1. Source:
cs.cornell.edu/~cristian/Cornell_Movie-Dialogs_Corpus.html.

Each line of a conversation is answered by the next. A tenth of the films, chosen by a hash of their names, is held out.
"""

from typing import ClassVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.validation.rows import RAW, SOURCE
from emberline.pipelines.datasets.readers.raw_table import file_name, read_named, require_input
from emberline.pipelines.datasets.splits import held_out
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts
from emberline.pipelines.datasets.text import sentence_pairs

LINES, CONVERSATIONS = "movie_lines.txt", "movie_conversations.txt"

SEPARATOR = r" \+\+\+\$\+\+\+ ?"


class MovieDialogs:
    """Reads the two official files, or what `sentence_pairs` reads."""

    name: ClassVar[str] = "movie_dialogs"
    schema: ClassVar[Schema] = sentence_pairs.SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder of the two files; or pairs divided by tabs, or a Parquet table.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing, or one of the two files is missing.
        """
        found = {file_name(file): file for file in require_input(uri)}
        if any(name.endswith(".parquet") for name in found):
            return read_named(spark, uri, self.schema)
        official = [name for name in (LINES, CONVERSATIONS) if name in found]
        if not official:
            return sentence_pairs.DATASET.read(spark, uri, split)
        if len(official) < 2:
            raise BadInputError(f"{uri!r} holds {official} alone; expected {LINES} and {CONVERSATIONS}.")
        rows = parse(_text(spark, found[LINES]), _text(spark, found[CONVERSATIONS]))
        if split:
            held = held_out(F.col("film"))
            rows = rows.where(held if split == "eval" else ~held)
        return rows.drop("film")

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes the pairs of `sentence_pairs`."""
        return sentence_pairs.DATASET.generate(directory, seed=seed)

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = MovieDialogs()


def _text(spark: SparkSession, file: str) -> DataFrame:
    """Returns parts of each line; Spark's text reader knows UTF-8 alone."""
    line = F.decode("content", "ISO-8859-1")
    whole = spark.read.format("binaryFile").load(file)
    return whole.select(F.explode(F.split(line, r"\r?\n")).alias(RAW)).select(
        RAW, F.split(RAW, SEPARATOR).alias("parts")
    )


def parse(lines: DataFrame, conversations: DataFrame) -> DataFrame:
    """Returns each line with its answer, and its `film`.

    Args:
        lines: `parts`: line, person, film, name, text.
        conversations: `parts`: person, person, film, lines in the form of a Python list.
    """
    said = lines.where(F.size("parts") == 5).select(F.col("parts")[0].alias("line"), F.col("parts")[4].alias("text"))
    ids = F.expr("regexp_extract_all(parts[3], '(L[0-9]+)', 1)")
    spoken = conversations.where(F.size("parts") == 4).select(F.col("parts")[2].alias("film"), ids.alias("ids"))
    following = F.arrays_zip(F.col("ids").alias("one"), F.slice("ids", 2, F.size("ids")).alias("other"))
    turns = spoken.select("film", F.explode(following).alias("turn")).where("turn.other is not null")
    pairs = turns.select("film", F.col("turn.one").alias("one"), F.col("turn.other").alias("other"))
    first, second = said.toDF("one", "first"), said.toDF("other", "second")
    both = pairs.join(first, "one").join(second, "other").where("trim(first) != '' and trim(second) != ''")
    raw = F.concat_ws("\t", "one", "other", "first", "second")
    rows = both.withColumn(RAW, raw).withColumn(SOURCE, F.lit(LINES))
    return sentence_pairs.pair_rows(rows, F.col("first"), F.col("second"), F.lit(False), "film")
