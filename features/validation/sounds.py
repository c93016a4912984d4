"""Checks sounds by their headers, in executors, which say all that can be wrong. Good rows go on as they came."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.sounds.wav import SoundError, read_header

UNHEARD = "is not a sound that can be read"


def check_sounds(rows: DataFrame, schema: Schema, reason: str) -> DataFrame:
    """Returns the same rows, with a reason where a sound is damaged.

    Args:
        rows: Checked otherwise: sounds as bytes, and the column `reason`.
        schema: The fields.
        reason: Name of the column with the verdict so far, null for a good row.
    """
    sounds = tuple(field.name for field in schema.fields if field.kind == "sound")
    if not sounds:
        return rows
    names = tuple(rows.columns)
    # PySpark stumbles over dots in names.
    plain = rows.select(*(F.col(quoted(name)).alias(f"c{index}") for index, name in enumerate(names)))
    # A verdict that is given here may be the first: whatever the plan says, the column may hold nulls and texts.
    answer = StructType([StructField(item.name, item.dataType) for item in plain.schema.fields])
    return plain.mapInArrow(SoundCheck(sounds, names, reason), answer).toDF(*names)


@dataclass(frozen=True)
class SoundCheck:
    """Runs in executors.

    Args:
        sounds: Names of the fields to look at.
        names: Of the columns, in order.
        reason: The column with the verdict.
    """

    sounds: tuple[str, ...]
    names: tuple[str, ...]
    reason: str

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            columns = dict(zip(self.names, batch.columns, strict=True))
            reasons = columns[self.reason].to_pylist()
            for name in self.sounds:
                for index, fault in enumerate(sound_faults(columns[name])):
                    if fault:
                        said = f"{name}: {UNHEARD}: it {fault}"
                        reasons[index] = f"{reasons[index]}; {said}" if reasons[index] else said
            columns[self.reason] = pa.array(reasons, pa.string())
            yield pa.RecordBatch.from_arrays(
                list(columns.values()), names=[f"c{index}" for index in range(len(columns))]
            )


def sound_faults(sounds: pa.Array) -> list[str | None]:
    """Returns what is wrong with each sound, None for nothing; a missing one has no fault."""
    return [_fault(sound.as_buffer()) if sound.is_valid else None for sound in sounds]


def _fault(sound: pa.Buffer) -> str | None:
    try:
        read_header(memoryview(sound))
    except SoundError as error:
        return str(error)
    return None
