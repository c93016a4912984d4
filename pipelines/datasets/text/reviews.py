"""Reviews of films: does the writer like the film?

Official format: the folder `aclImdb` of the Large Movie Review Dataset: `train/pos/*.txt`, `train/neg/*.txt`,
`test/pos/*.txt` and `test/neg/*.txt`, a review per file; other folders in it are not read. Source:
ai.stanford.edu/~amaas/data/sentiment.
"""

from typing import ClassVar

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.tokens import Tokens
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.generators.sentiment_texts import opinionated_texts
from emberline.pipelines.datasets.readers.raw_table import read_named, require_input, row_key
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts

TOKENS = Tokens(lower=True, replace=((r"<br\s*/?>", " "), (r"[^\p{L}\p{N}']+", " ")), at_most=400)
"""Words only; most of what is said is said in the first 400."""

SCHEMA = Schema(
    fields=(Field("review", "string", required=True, tokens=TOKENS),),
    label=Label("opinion", classes=(("neg",), ("pos",))),
    key="row",
)

FOLDERS = {"train": "train", "eval": "test"}

ROWS, WORDS, LENGTH, TESTED = 3_000, 1_500, 40, 5
"""Of the synthetic stand-in: reviews, different words, words of a review in the mean; one in so many is for testing."""


class Reviews:
    """Reads the official folders, or a Parquet table with the column names."""

    name: ClassVar[str] = "reviews"
    schema: ClassVar[Schema] = SCHEMA

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`.

        Args:
            spark: The session.
            uri: The folder with `train` and `test` in it; without a split, any folder of texts; or a table (Parquet).
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist or holds nothing, or there are no folders of the split.
        """
        found = require_input(uri)
        if any(file.endswith(".parquet") for file in found):
            return read_named(spark, uri, SCHEMA)
        splits = [split] if split else [one for one, name in FOLDERS.items() if storage.exists(storage.join(uri, name))]
        folders = [storage.join(uri, FOLDERS[one], kind) for one in splits for kind in ("neg", "pos")]
        if missing := [folder for folder in folders if not storage.exists(folder)]:
            raise BadInputError(
                f"There is no folder {missing[0]!r}; expected train/neg, train/pos, test/neg, test/pos."
            )
        return parse(spark.read.text(folders or [uri], wholetext=True))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes synthetic reviews, some of whose words are liked more by those who like the film.

        The best scores are those of the true probability of an opinion given all words.
        """
        made = opinionated_texts([f"w{number}" for number in range(WORDS)], ROWS, LENGTH, seed, strength=0.25)
        for row, (text, verdict) in enumerate(zip(made.texts, made.verdicts, strict=True)):
            split = "train" if row // 2 % TESTED else "test"
            place = storage.join(directory, split, ("neg", "pos")[verdict], f"{row}.txt")
            storage.write_bytes_atomic(place, text.encode())
        return write_facts(directory, Synthetic(made.best, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = Reviews()


def parse(files: DataFrame) -> DataFrame:
    """Returns reviews, with the opinion that their folder tells.

    Args:
        files: `value`, a whole file each.
    """
    text, path = F.btrim(F.col("value"), F.lit(" \t\r\n")), F.col("_metadata.file_path")
    opinion = F.regexp_extract(path, r"/(neg|pos)/[^/]*$", 1)
    return files.select(
        row_key(text).alias(SCHEMA.key),
        text.alias("review"),
        F.when(opinion != "", opinion).alias("opinion"),
        text.alias(RAW),
        path.alias(SOURCE),
        F.lit(None).cast("string").alias(FAULT),
    )
