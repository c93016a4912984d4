"""Spark's columns under their users' names, where PySpark itself would stumble over dots and blanks in them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from emberline.features.names import quoted

ArrowStep: TypeAlias = Callable[[Iterator[pa.RecordBatch]], Iterable[pa.RecordBatch]]


def map_in_arrow(rows: DataFrame, names: Sequence[str], step: ArrowStep, answer: StructType | str) -> DataFrame:
    """Runs `DataFrame.mapInArrow` over columns of any names; returns what the step yields, as a DataFrame.

    Args:
        rows: The rows.
        names: The columns that the step takes.
        step: Picklable; gets batches whose columns have their names.
        answer: Schema of what it yields.
    """
    numbered = rows.select(*(F.col(quoted(name)).alias(f"c{place}") for place, name in enumerate(names)))
    return numbered.mapInArrow(_Named(tuple(names), step), answer)


@dataclass(frozen=True)
class _Named:
    names: tuple[str, ...]
    step: ArrowStep

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        yield from self.step(batch.rename_columns(list(self.names)) for batch in batches)
