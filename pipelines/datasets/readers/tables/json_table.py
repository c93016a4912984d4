"""JSON lines or JSON documents as one table, structures taken apart."""

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.long_lines import LongLine, long_lines, rejected_lines, short_lines
from emberline.pipelines.datasets.readers.tables.json_documents import DOCUMENT, LINES, json_kind
from emberline.pipelines.datasets.readers.tables.table import Opening, Table, each, folder_value, literal
from emberline.pipelines.datasets.readers.tables.table_files import below


def json_table(opening: Opening) -> Table:
    """Returns the table of JSON files."""
    spark, source, found = opening.spark, opening.source, opening.found
    kinds = each(lambda file: json_kind(file, below(source, file.uri)), found.files)
    if len(set(kinds)) > 1:
        names = {kind: below(source, file.uri) for kind, file in zip(kinds, found.files, strict=True)}
        raise BadInputError(
            f"{names[DOCUMENT]!r} is one JSON document, and {names[LINES]!r} holds JSON lines: give files of one kind."
        )
    corrupt = "_corrupt_record"
    reader = spark.read.option("multiLine", str(kinds[0] == DOCUMENT).lower())
    reader = reader.option("columnNameOfCorruptRecord", corrupt)
    too_long: list[LongLine] = []
    if kinds[0] == LINES:
        too_long = long_lines(spark, [storage.FileEntry(file.uri, file.size) for file in found.files])
    if too_long:
        lines = short_lines(spark, [file.uri for file in found.files])
        shape = reader.json(lines.select(RAW)).schema
        row = F.from_json(RAW, shape, {"columnNameOfCorruptRecord": corrupt})
        table = lines.where(F.trim(RAW) != "").select(row.alias("_row"), SOURCE).select("_row.*", SOURCE)
        path = F.col(SOURCE)
    else:
        table = reader.json([literal(file.uri) for file in found.files])
        path = F.col("_metadata.file_path")
    values = {name: folder_value(path, name) for name in found.value_names}
    columns, left_out = {}, {}
    for name, column, kind in _spark_leaves(table.schema):
        if name in (corrupt, SOURCE) or name in values:
            continue
        if name in columns:
            left_out[name] = "a structure has a field of the same name: call one otherwise"
        elif isinstance(kind, MapType) or (
            isinstance(kind, ArrayType) and isinstance(kind.elementType, StructType | ArrayType | MapType)
        ):
            left_out[name] = f"it is of type {kind.simpleString()}: write single values, or lists of them"
        else:
            columns[name] = column
    columns = {name: column for name, column in columns.items() if name not in left_out} | values
    nothing = F.lit(None).cast("string")
    broken = F.col(corrupt) if corrupt in table.columns else nothing
    fault = F.when(broken.isNotNull(), F.lit("is not JSON"))
    frame = table.select(
        *(column.alias(name) for name, column in columns.items()),
        broken.alias(RAW),
        path.alias(SOURCE),
        fault.alias(FAULT),
    )
    if too_long:
        frame = frame.unionByName(rejected_lines(spark, too_long), allowMissingColumns=True)
    return Table(frame, tuple(columns), left_out)


def _spark_leaves(
    schema: StructType, above: str = "", column: Column | None = None
) -> list[tuple[str, Column, DataType]]:
    """Columns, structures taken apart: name, column and type."""
    found = []
    for item in schema.fields:
        own = F.col(quoted(item.name)) if column is None else column.getField(item.name)
        name = f"{above}.{item.name}" if above else item.name
        if isinstance(item.dataType, StructType):
            found += _spark_leaves(item.dataType, name, own)
        else:
            found.append((name, own, item.dataType))
    return found
