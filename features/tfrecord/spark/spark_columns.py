"""Which Spark columns fit into TFRecords: checked on the driver, before a task starts."""

from collections.abc import Sequence

import pyarrow as pa
from pyspark.errors import PySparkTypeError
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from emberline.features.errors import nearest
from emberline.features.tfrecord.codec.feature_types import UnsupportedColumnError, feature_type
from emberline.features.tfrecord.spark.options import TFRecordOptionError, WriteOptions
from emberline.features.tfrecord.spark.shard_writer import encoder

_NO_FEATURE = (T.UserDefinedType, T.StructType, T.MapType, T.VariantType, T.NullType)
_NO_FOLDER = (*_NO_FEATURE, T.ArrayType, T.BinaryType)


def check_columns(fields: Sequence[T.StructField], record_type: str) -> None:
    """Refuses columns that the record type cannot hold.

    Raises:
        UnsupportedColumnError: By column and type.
    """
    depth = 2 if record_type == "SequenceExample" else 1
    for field in fields:
        kind = _arrow_type(field)
        if kind is None:
            raise UnsupportedColumnError(
                f"Column {field.name!r} of type {field.dataType.simpleString()} does not fit into a TFRecord: use "
                "booleans, numbers, strings, binary, dates, timestamps and arrays of these; select the fields of a "
                "struct, and turn a vector into an array with vector_to_array."
            )
        try:
            feature_type(field.name, kind, max_depth=depth)
        except UnsupportedColumnError as error:
            raise UnsupportedColumnError(
                f"{error} (Spark type {field.dataType.simpleString()}, recordType {record_type})"
            ) from None


def _arrow_type(field: T.StructField) -> pa.DataType | None:
    if isinstance(field.dataType, _NO_FEATURE):
        return None
    try:
        return to_arrow_schema(T.StructType([field]), timezone="UTC").field(0).type
    except PySparkTypeError:  # PySpark has no Arrow type for it
        return None


def check_writable(schema: T.StructType, options: WriteOptions) -> None:
    """Refuses a frame that cannot be written as the options say.

    Raises:
        UnsupportedColumnError: A column does not fit into the record type.
        TFRecordOptionError: Partition columns that are absent, cannot be directories, or leave no feature.
    """
    for name in options.partition_by:
        if name not in schema.names:
            raise TFRecordOptionError(f"partitionBy names {name!r}. {nearest(name, schema.names)}")
        if isinstance(schema[name].dataType, _NO_FOLDER):
            raise TFRecordOptionError(
                f"partitionBy column {name!r} has type {schema[name].dataType.simpleString()}, which cannot name a "
                "directory; use a string, number, boolean, date or timestamp."
            )
    stored = [field for field in schema if field.name not in options.partition_by]
    if not stored:
        raise TFRecordOptionError(f"partitionBy takes all columns ({schema.names}); one at least must be a feature.")
    if options.record_type == "ByteArray":
        encoder("ByteArray", to_arrow_schema(T.StructType(stored), timezone="UTC"))
    check_columns(stored, options.record_type)
