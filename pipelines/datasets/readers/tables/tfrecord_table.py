"""TFRecord files as a table, by our own source of Spark's."""

from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from emberline.features import storage
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.tables.table import Opening, Table
from emberline.pipelines.datasets.readers.tables.table_files import ENDINGS


def tfrecord_table(opening: Opening) -> Table:
    """Returns the table of TFRecord files."""
    spark, source, found = opening.spark, opening.source, opening.found
    reader = spark.read.format("tfrecord")
    if all(file.ending in ENDINGS["tfrecord"] for file in found.files):
        reader = reader.option("pathGlobFilter", f"*.{{{','.join(ENDINGS['tfrecord'])}}}*")
    if found.value_names:  # of folders: text, whatever it looks like
        types = reader.load(source).schema
        texts = [StructField(item.name, StringType()) if item.name in found.value_names else item for item in types]
        reader = reader.schema(StructType(texts))
    elif storage.is_folder(source):
        reader = reader.option("recursiveFileLookup", "true")
    table = reader.load(source)
    nothing = F.lit(None).cast("string")
    frame = table.select("*", nothing.alias(RAW), F.lit(source).alias(SOURCE), nothing.alias(FAULT))
    return Table(frame, tuple(table.columns), {})
