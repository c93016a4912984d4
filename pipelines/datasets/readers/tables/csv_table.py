"""CSV files as one table: each by its own header and dialect, in parts that begin at records."""

from collections.abc import Collection, Sequence

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.validation.rows import FAULT
from emberline.features.validation.schema_inference import MISSING_MARKS
from emberline.pipelines.datasets.readers.tables.csv_dialect import SAMPLE_BYTES, sniff
from emberline.pipelines.datasets.readers.tables.csv_rows import CsvFile, CsvRows, text_schema, unclosed
from emberline.pipelines.datasets.readers.tables.csv_splits import (
    CsvPart,
    Quotes,
    chained,
    count_quotes,
    cut,
    never_closed,
    part_bytes,
)
from emberline.pipelines.datasets.readers.tables.table import Opening, Table, each, packed, some
from emberline.pipelines.datasets.readers.tables.table_files import TableFile, below
from emberline.pipelines.datasets.readers.tables.text_stream import open_plain
from emberline.pipelines.runtime.progress import tell_once


def csv_table(opening: Opening) -> Table:
    """Returns the table of CSV files."""
    spark, source, found = opening.spark, opening.source, opening.found

    def look(file: TableFile) -> CsvFile:
        with open_plain(file) as stream:
            sample = bytes(stream.read(SAMPLE_BYTES + 1))
        name = below(source, file.uri)
        complete = len(sample) <= SAMPLE_BYTES
        prefer = {"tsv": "\t", "tab": "\t", "psv": "|"}.get(file.ending, ",")
        return CsvFile(file, name, sniff(sample, complete, opening.form.csv, opening.expected, repr(name), prefer))

    files: list[CsvFile] = each(look, found.files)
    headless = [file.name for file in files if not file.dialect.header]
    if headless and len(headless) < len(files):
        headed = next(file.name for file in files if file.dialect.header)
        raise BadInputError(
            f"{headless[0]!r} has no header, and {headed!r} has one: columns are matched by their names. Give every "
            "file a header, or none and --option header=no."
        )
    for evidence in dict.fromkeys(said for file in files for said in file.dialect.evidence):
        named = [file.name for file in files if evidence in file.dialect.evidence]
        tell_once(
            "read", f"{source}: {evidence} ({some(named)})" if len(named) < len(files) else f"{source}: {evidence}"
        )
    own = [[*(name for name in file.dialect.names if name), *file.file.values] for file in files]
    columns = tuple(dict.fromkeys(name for names in own for name in names))
    opening.tell_lacking(
        {name: file.name for file, names in zip(files, own, strict=True) for name in columns if name not in names},
    )
    parts = _csv_parts(spark, files)
    tasks = packed(parts, lambda part: files[part.file].file.size if part.stop < 0 else part.stop - part.start)

    def frame(converted: Collection[str]) -> DataFrame:
        job = CsvRows(files, tasks, columns, frozenset(converted))
        return opening.run(len(tasks), job, text_schema(columns))

    commas = any(file.dialect.decimal == "," or file.dialect.thousands for file in files)
    if not commas:
        return Table(frame(()), columns, {})
    numbers = opening.numbers
    if numbers is None:
        numbers = _numbers(frame(columns), columns)
    return Table(frame(numbers), columns, {})


def _csv_parts(spark: SparkSession, files: Sequence[CsvFile]) -> list[CsvPart]:
    wanted = part_bytes(sum(file.file.size for file in files), spark.sparkContext.defaultParallelism)
    parts: list[CsvPart] = []
    large: list[tuple[int, list[tuple[int, int]]]] = []
    for number, found in enumerate(files):
        if found.dialect.whole or found.file.compression:
            parts.append(CsvPart(number, 0, -1))
            continue
        ranges = cut(found.dialect.start, found.file.size, wanted)
        if len(ranges) == 1:
            parts.append(CsvPart(number, found.dialect.start, found.file.size))
        else:
            large.append((number, ranges))
    if large:
        asked = [(number, start, stop) for number, ranges in large for start, stop in ranges]
        counted = _counted(spark, files, asked)
        for number, ranges in large:
            quotes, counted = counted[: len(ranges)], counted[len(ranges) :]
            if never_closed(quotes):
                raise BadInputError(unclosed(files[number].name))
            parts += chained(number, ranges, quotes) or [CsvPart(number, 0, -1)]
    return parts


def _counted(spark: SparkSession, files: Sequence[CsvFile], ranges: Sequence[tuple[int, int, int]]) -> list[Quotes]:
    """The quotes of every range, in order."""
    about = [
        (files[number].file.uri, start, stop, files[number].dialect.sep, files[number].dialect.quote)
        for number, start, stop in ranges
    ]
    # A task costs more than the quotes of a part: one for each core.
    tasks = min(len(about), max(1, spark.sparkContext.defaultParallelism))
    found = spark.sparkContext.parallelize(about, tasks).map(lambda one: count_quotes(*one)).collect()
    return list(found)


def _numbers(frame: DataFrame, columns: Sequence[str]) -> list[str]:
    """Columns whose values all are numbers."""
    measures = []
    for place, name in enumerate(columns):
        text = F.trim(F.col(quoted(name)))
        value = F.when(~text.isin("", *MISSING_MARKS), text)
        measures += [F.count(value).alias(f"v{place}"), F.count(value.try_cast("double")).alias(f"n{place}")]
    row = frame.where(F.col(FAULT).isNull()).agg(*measures).first()
    return [name for place, name in enumerate(columns) if row and 0 < row[f"n{place}"] == row[f"v{place}"]]
