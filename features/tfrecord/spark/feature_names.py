"""What records call their features, where a schema calls them otherwise: such columns would be null silently."""

from collections.abc import Mapping

import pyarrow as pa

from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError
from emberline.features.tfrecord.codec.framing import Records
from emberline.features.tfrecord.spark.messages import MalformedError, entries, fields

LOOKED_AT = 32
"""Records of a file, evenly spread over its first batch, whose names are read."""

_FEATURES, _LISTS = 1, 2
"""Fields of Example (features) and SequenceExample (context, feature lists)."""


def spellings(records: Records, columns: pa.Schema, path: str) -> dict[str, str]:
    """Returns the names of the features that equal a column's name except for case, by column.

    Raises:
        UnsupportedColumnError: if two features would fit a column.
    """
    found = {name for names in _names(records).values() for name in names}
    chosen = {}
    for name in columns.names:
        alike = sorted(other for other in found if other.lower() == name.lower())
        if name not in found and len(alike) > 1:
            raise UnsupportedColumnError(
                f"{path}: column {name!r} fits the features {', '.join(map(repr, alike))}, which differ by case only: "
                "set the option caseSensitive to true, and name one of them."
            )
        chosen[name] = name if name in found or not alike else alike[0]
    return chosen


def require_known(batch: pa.RecordBatch, records: Records, record_type: str, path: str) -> None:
    """Checks that no column is empty because its feature has another name or lies elsewhere.

    Args:
        batch: The first of a file.
        records: What it was made of.
        record_type: How they were read.
        path: The file.

    Raises:
        UnsupportedColumnError: if a feature differs from a column by case only, or lies where this record type does not
            look.
    """
    empty = [
        name
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
        if batch.num_rows and column.null_count == batch.num_rows
    ]
    if not empty:
        return
    found = _names(records)
    for name in empty:
        if record_type == "Example" and name in found[_LISTS] and name not in found[_FEATURES]:
            raise UnsupportedColumnError(
                f"{path}: column {name!r} is a feature list, and the records are SequenceExamples: read them with "
                "recordType SequenceExample, and the column as an array of arrays."
            )
        names = found[_FEATURES] | (found[_LISTS] if record_type == "SequenceExample" else set())
        alike = sorted(other for other in names if other.lower() == name.lower() and other not in batch.schema.names)
        if name not in names and alike:
            raise UnsupportedColumnError(
                f"{path}: no record has a feature {name!r}, but {alike[0]!r}, which differs by case only: call the "
                "column so, or set the option caseSensitive to false."
            )


def _names(records: Records) -> Mapping[int, set[str]]:
    found: dict[int, set[str]] = {_FEATURES: set(), _LISTS: set()}
    for index in range(0, len(records), max(1, len(records) // LOOKED_AT)):
        try:
            for number, message in fields(records[index]):
                if number in found:
                    found[number].update(name for name, _ in entries(message))
        except (IndexError, UnicodeDecodeError, MalformedError):  # for the decoder to report
            continue
    return found
