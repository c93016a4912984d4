"""Which files, and which rows, are held out where a data set does not come divided by its makers."""

import hashlib
import re

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

NAMES = {"train": ("train", "training"), "eval": ("eval", "test", "val", "validation")}
"""What folders and archives of a split are called, or begin with."""

SPLIT = "split"
"""Column that divides a table, if it has one."""

HELD_OUT = 10
"""One row in so many is held out, by a hash of its key: the same row is, however often it is looked at."""


def named_split(name: str) -> str | None:
    """The split that a file or folder is named after: `val-0003.tar` holds rows for evaluation."""
    word = re.match(r"[a-z]*", name.lower())
    return next((split for split, words in NAMES.items() if word and word[0] in words), None)


def is_held_out(key: str) -> bool:
    """Whether the row with this key is held out; `held_out` is the same rule in Spark."""
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) % HELD_OUT == 0


def held_out(key: Column) -> Column:
    """Whether rows are held out."""
    return F.conv(F.substring(F.sha2(key, 256), 1, 8), 16, 10).cast("bigint") % HELD_OUT == 0


def rows_of(split: str | None, table: DataFrame, key: Column) -> DataFrame:
    """Rows with the text `train` or `eval` in the table's column `split`; without such a column, a tenth is held out.

    Args:
        split: Which rows; None for all.
        table: The rows.
        key: Identifies a row.
    """
    if split is None:
        return table
    if SPLIT in table.columns:
        return table.where(F.lower(F.col(SPLIT).cast("string")) == split)
    return table.where(held_out(key) if split == "eval" else ~held_out(key))
