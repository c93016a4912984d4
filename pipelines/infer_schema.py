"""A first look at new data: its schema, guessed, as the declaration that a dataset module starts from."""

import sys
from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.features.validation.schema_declaration import declaration
from emberline.features.validation.schema_inference import infer_schema
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.table_reader import open_table
from emberline.pipelines.datasets.readers.tables.versioned.version import pinned, places
from emberline.pipelines.datasets.splits import SPLIT, SPLIT_WORDS
from emberline.pipelines.recipe.first_recipe import first_recipe
from emberline.pipelines.runtime.output_folder import require_apart, require_replaceable_file
from emberline.pipelines.runtime.progress import Progress


@dataclass(frozen=True)
class InferredSchema:
    """What was found.

    Args:
        rows: Rows looked at.
        schema: The schema as plain values.
        declaration: The same as Python code.
        output: URI of the file with that code; empty for none.
        left_out: Columns that no field can hold, with the reason.
    """

    rows: int
    schema: dict[str, Any]
    declaration: str
    output: str = ""
    left_out: dict[str, str] | None = None


def infer(
    spark: SparkSession,
    source: str,
    label: str,
    key: str | None = None,
    *,
    form: TableFormat | None = None,
    name: str = "",
    output: str = "",
) -> InferredSchema:
    """Guesses the schema of the table at `source` and prints its declaration for people.

    Args:
        spark: The session.
        source: URI of a file or folder: Parquet, ORC, JSON, CSV or TSV, or TFRecord; or the address of a table.
        label: The column that is the label.
        key: The column that identifies a row.
        form: What is known of the table.
        name: Of a data set and a recipe, which are declared too; empty for the schema alone.
        output: URI of a new file for the code, which is printed on stderr otherwise.

    Raises:
        BadInputError: for a path, a format or a column that does not work, or an output that is there already or
            overlaps with the table.
    """
    source = pinned(spark, source)
    if output:  # people edit such a file: it is never replaced
        require_apart(output, places(spark, source))
        require_replaceable_file(output, "new file", lambda _: False)
    form, expected = form or TableFormat(), [label, *([key] if key else [])]
    table = open_table(spark, source, form, expected)
    table.require(expected)
    frame = _require_records(table.rows_with_origin)
    if SPLIT in frame.columns and SPLIT not in expected and _divides(frame):
        Progress("read").say(f"{source}: its column 'split' divides the rows, and is no field")
        frame = frame.drop(SPLIT)
    schema = infer_schema(frame, label, key)
    fields = {field.name for field in schema.fields}
    unfit = [column for column in frame.columns if column not in (*fields, *expected)]
    left_out = {**table.left_out, **{column: "no field can hold its values" for column in unfit}}
    if unfit:
        Progress("read").say(f"{source}: columns left out, as no field can hold their values: {', '.join(unfit)}")
    rows = frame.count()
    code = (
        first_recipe(schema, name, rows, _distinct(frame, schema), form.format, form.options)
        if name
        else declaration(schema)
    )
    if output:
        storage.write_text_atomic(output, code)
    else:
        print(code, file=sys.stderr)
    return InferredSchema(rows, schema.to_json(), code, output, left_out)


def _require_records(rows: DataFrame) -> DataFrame:
    """Rows without those that could not be taken apart, which `etl` rejects; the log names them."""
    bad = rows.where(F.col(FAULT).isNotNull())
    examples = bad.select(SOURCE, FAULT, RAW).limit(3).collect()
    if not examples:
        return rows.drop(RAW, SOURCE, FAULT)
    good = rows.where(F.col(FAULT).isNull())
    listed = "; ".join(f"{row[0]}: {row[1]} in {str(row[2])[:60]!r}" for row in examples)
    if not good.limit(1).count():
        raise BadInputError(f"No row of the table can be taken apart: {listed}")
    Progress("read").say(f"{bad.count():,} rows cannot be taken apart and are looked past; etl rejects them: {listed}")
    return good.drop(RAW, SOURCE, FAULT)


def _distinct(rows: DataFrame, schema: Schema) -> dict[str, int]:
    """About how many different values the fields of single texts have."""
    names = [field.name for field in schema.fields if field.kind == "string" and not field.many and not field.allowed]
    if not names:
        return {}
    counted = rows.agg(*(F.approx_count_distinct(F.trim(F.col(quoted(name)).cast("string"))) for name in names)).first()
    return dict(zip(names, counted or (), strict=True))


def _divides(rows: DataFrame) -> bool:
    """Whether all rows are given to splits by their column of that name."""
    word = F.lower(F.trim(F.col(SPLIT).cast("string")))
    found = [row[0] for row in rows.select(word).distinct().limit(len(SPLIT_WORDS) + 1).collect()]
    return bool(found) and set(found) <= set(SPLIT_WORDS)
