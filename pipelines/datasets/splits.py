"""Which files, and which rows, are held out where a data set does not come divided by its makers."""

import hashlib
import re

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.validation.rows import FAULT

NAMES = {"train": ("train", "training"), "eval": ("eval", "test", "val", "valid", "validation", "dev")}
"""What folders and archives of a split are called, or begin with, and what a column that divides a table says."""

SPLIT = "split"
"""Column that divides a table, if it has one."""

SPLIT_WORDS = tuple(word for words in NAMES.values() for word in words)
NO_SPLIT = f"is not one of {', '.join(SPLIT_WORDS)}"

HELD_OUT = 10
"""One row in so many is held out, by a hash of its key: the same row is, however often it is looked at."""


def named_split(name: str) -> str | None:
    """Returns the split that a file or folder is named after: `val-0003.tar` holds rows for evaluation."""
    word = re.match(r"[a-z]*", name.lower())
    return next((split for split, words in NAMES.items() if word and word[0] in words), None)


def is_held_out(key: str) -> bool:
    """Returns whether the row with this key is held out; `held_out` is the same rule in Spark."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % HELD_OUT == 0


def held_out(key: Column) -> Column:
    """Returns whether rows are held out, by their keys as texts."""
    return F.conv(F.substring(F.sha2(key.cast("string"), 256), 1, 8), 16, 10).cast("bigint") % HELD_OUT == 0


def rows_of(split: str | None, table: DataFrame, key: Column, *, by_column: bool = True) -> DataFrame:
    """Returns the rows of a split by the column `split`, in the words of `NAMES`; without it a tenth is held out.

    Args:
        split: Which rows; None for all.
        table: The rows. With a column `_fault`, a row of another word goes to the training rows, as a bad one.
        key: Identifies a row.
        by_column: Whether a column `split` divides the table; else it is a column like others.

    Raises:
        BadInputError: if the column has other words, and the rows have no `_fault`.
    """
    if split is None:
        return table
    if not by_column or SPLIT not in table.columns:
        out = F.coalesce(held_out(key), F.lit(False))  # a row without a key is a bad one, not one of neither
        return table.where(out if split == "eval" else ~out)
    word = F.lower(F.trim(F.col(SPLIT).cast("string")))
    known = F.coalesce(word.isin(*SPLIT_WORDS), F.lit(False))
    if FAULT in table.columns:
        said = F.concat(F.lit("split: '"), F.coalesce(F.col(SPLIT).cast("string"), F.lit("")), F.lit(f"' {NO_SPLIT}"))
        table = table.withColumn(FAULT, F.coalesce(FAULT, F.when(~known, said)))
    elif other := [str(row[0]) for row in table.where(~known).select(SPLIT).distinct().limit(5).collect()]:
        raise BadInputError(f"The column 'split' has {', '.join(map(repr, other))}, which {NO_SPLIT}.")
    return table.where(word.isin(*NAMES["eval"]) if split == "eval" else ~known | word.isin(*NAMES["train"]))
