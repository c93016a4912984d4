"""Parts of CSV files to rows, in executors, by Arrow's reader: text columns, and complaints about what is no record."""

import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.long_lines import LONGEST
from emberline.pipelines.datasets.readers.tables.csv_dialect import Dialect, fields_of
from emberline.pipelines.datasets.readers.tables.csv_splits import CsvPart, Quotes, never_closed, quotes_of, read_part
from emberline.pipelines.datasets.readers.tables.table_files import TableFile
from emberline.pipelines.datasets.readers.tables.text_stream import Uncommented, open_text

BATCH_ROWS, BATCH_BYTES = 16 << 10, 8 << 20
RAW_CHARACTERS = 100_000
"""Of what is no record; an open quote makes one of all lines behind it."""

STREAMED_BYTES = 16 << 20
"""Read at a time of a file that cannot be divided, so the most that one of its records may have."""

DROPPED = "\0dropped"


@dataclass(frozen=True)
class CsvFile:
    """A file and how it is written.

    Args:
        file: The file.
        name: As messages call it.
        dialect: How it is written.
    """

    file: TableFile
    name: str
    dialect: Dialect


@dataclass(frozen=True)
class CsvRows:
    """Runs in executors: numbers of tasks in, rows out.

    Args:
        files: All files.
        tasks: The parts of files that each task reads.
        columns: Columns to hand on; a file may lack some.
        numbers: Those that hold numbers, whose decimal commas become points.
    """

    files: Sequence[CsvFile]
    tasks: Sequence[Sequence[CsvPart]]
    columns: tuple[str, ...]
    numbers: frozenset[str]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for task in batch.column(0).to_pylist():
                for part in self.tasks[task]:
                    for table in self._tables(part):
                        yield from table.to_batches(max_chunksize=_rows_at_once(table))

    def _tables(self, part: CsvPart) -> Iterator[pa.Table]:
        found = self.files[part.file]
        parser = _Parser(found, self.columns, self.numbers)
        if part.stop < 0:
            yield from parser.stream()
        else:
            with storage.open_random(found.file.uri) as file:
                data = read_part(file, part, found.dialect.start, found.file.size, found.dialect.quote)
            if data:
                yield from parser.block(data, part.start == found.dialect.start and part.stop >= found.file.size)


class _Parser:
    def __init__(self, found: CsvFile, columns: tuple[str, ...], numbers: frozenset[str]) -> None:
        self._file = found.file
        self._dialect = found.dialect
        self._name = found.name
        self._columns = columns
        self._numbers = numbers
        self._names = [name or DROPPED for name in found.dialect.names]
        self._bad: list[pc_csv.InvalidRow] = []
        self._short: list[str] = []

    def block(self, data: bytes, whole_file: bool) -> Iterator[pa.Table]:
        """Yields the records of a block, and then those with another number of fields as rows with a fault."""
        if whole_file and self._dialect.quote:
            self._require_closed([quotes_of(b"\n" + data, self._dialect.sep, self._dialect.quote)])
        if self._dialect.encoding != "utf-8":
            data = data.decode(self._dialect.encoding).encode()
        options = self._options(len(data) + 1)
        try:
            yield self._rows(
                pc_csv.read_csv(pa.BufferReader(data), **options, convert_options=_conversion(self._asked()))
            )
        except pa.ArrowInvalid as error:
            if "UTF8" not in str(error):
                raise self._refused(error) from None
            self._bad.clear()
            self._short.clear()
            binary = _conversion(self._asked(), pa.binary())
            yield self._checked(pc_csv.read_csv(pa.BufferReader(data), **options, convert_options=binary))
        yield from self._filled()
        yield from self._faults()

    def stream(self) -> Iterator[pa.Table]:
        """Yields the records of a file that cannot be divided: compressed, with wide characters, or with comments."""
        with open_text(self._file, self._dialect.encoding) as text:
            text.read(self._dialect.start)
            text.watch(self._dialect.sep, self._dialect.quote)
            sure = self._dialect.sure_comments
            source = Uncommented(text, self._dialect.comment, self._dialect.quote) if sure else text
            options, conversion = self._options(STREAMED_BYTES), _conversion(self._asked(), pa.binary())
            try:
                with pc_csv.open_csv(source, **options, convert_options=conversion) as reader:
                    for batch in reader:
                        yield self._checked(pa.Table.from_batches([batch]))
            except pa.ArrowInvalid as error:
                if "Empty CSV" not in str(error):
                    raise self._refused(error) from None
            self._require_closed(text.quotes)
        yield from self._filled()
        yield from self._faults()

    def _asked(self) -> tuple[str, ...]:
        return tuple(name for name in self._columns if name not in self._file.values)

    def _options(self, block: int) -> dict[str, object]:
        quote = self._dialect.quote or False
        return {
            "read_options": pc_csv.ReadOptions(column_names=self._names, use_threads=False, block_size=block),
            "parse_options": pc_csv.ParseOptions(
                delimiter=self._dialect.sep,
                quote_char=quote,
                double_quote=bool(quote),
                escape_char=False,
                newlines_in_values=bool(quote),
                invalid_row_handler=self._invalid,
            ),
        }

    def _invalid(self, row: pc_csv.InvalidRow) -> str:
        if self._dialect.comment and row.text.startswith(self._dialect.comment):
            return "skip"
        if self._dialect.fill and row.actual_columns < row.expected_columns:
            self._short.append(row.text)
        else:
            self._bad.append(row)
        return "skip"

    def _checked(self, table: pa.Table) -> pa.Table:
        """The table with texts for bytes; a row in which they are no UTF-8 gets a complaint."""
        columns, faults = {}, pa.nulls(table.num_rows, pa.string())
        for name in table.column_names:
            try:
                columns[name] = table.column(name).cast(pa.string())
            except pa.ArrowInvalid:
                texts = [(value, _utf8(value)) for value in table.column(name).to_pylist()]
                columns[name] = pa.chunked_array([pa.array([text for _, text in texts], pa.string())])
                bad = pa.array([value is not None and text is None for value, text in texts])
                faults = pc.if_else(pc.and_(bad, pc.is_null(faults)), f"{name} is not UTF-8", faults)
        return self._rows(pa.table(columns) if columns else table, faults)

    def _rows(self, table: pa.Table, faults: pa.Array | None = None) -> pa.Table:
        columns = []
        rows = table.num_rows
        for name in self._columns:
            if name in self._file.values:
                value = self._file.values[name]
                columns.append(pa.nulls(rows, pa.string()) if value is None else pa.repeat(pa.scalar(value), rows))
            elif (self._dialect.decimal == "," and name in self._numbers) or (
                self._dialect.thousands and name in self._numbers
            ):
                columns.append(self._with_points(table.column(name)))
            else:
                columns.append(table.column(name))
        raw = pa.nulls(rows, pa.string())
        faults = raw if faults is None else faults
        if table.nbytes > LONGEST:
            columns, faults = self._without_long(columns, faults)
        columns += [raw, pa.repeat(pa.scalar(self._name), rows), faults]
        return pa.table(columns, schema=text_schema(self._columns))

    def _without_long(self, columns: list[pa.Array], faults: pa.Array) -> tuple[list[pa.Array], pa.Array]:
        """The columns without texts that Java has no room for; their rows get a complaint."""
        short = []
        for name, column in zip(self._columns, columns, strict=True):
            sizes = pc.binary_length(column)
            long = pc.fill_null(pc.greater(sizes, LONGEST), False)
            if pc.any(long).as_py():
                mebibytes = pc.cast(pc.divide(sizes, 1 << 20), pa.string())
                said = pc.binary_join_element_wise(
                    f"{name} has", mebibytes, f"MiB, and may have {LONGEST >> 20}", pa.scalar(" ")
                )
                faults = pc.if_else(pc.and_(long, pc.is_null(faults)), said, faults)
                column = pc.if_else(long, None, column)
            short.append(column)
        return short, faults

    def _with_points(self, texts: pa.ChunkedArray) -> pa.ChunkedArray:
        return with_points(texts, self._dialect.decimal, self._dialect.thousands)

    def _filled(self) -> Iterator[pa.Table]:
        """The records with too few fields, with nulls for those that they lack."""
        if not self._short:
            return
        sep, quote = self._dialect.sep, self._dialect.quote
        records = [next(fields_of(io.StringIO(text, newline=""), sep, quote)) for text in self._short]
        self._short = []
        places = {name: place for place, name in enumerate(self._names)}
        columns = {}
        for name in self._asked():
            place = places.get(name, sys.maxsize)
            texts = [record[place] or None if place < len(record) else None for record in records]
            columns[name] = pa.array(texts, pa.string())
        yield self._rows(pa.table(columns))

    def _faults(self) -> Iterator[pa.Table]:
        if not self._bad:
            return
        rows = len(self._bad)
        nothing = [pa.nulls(rows, pa.string())] * len(self._columns)
        raw = pa.array([row.text[:RAW_CHARACTERS] for row in self._bad], pa.string())
        said = [f"expected {row.expected_columns} fields, got {row.actual_columns}" for row in self._bad]
        named = pa.repeat(pa.scalar(self._name), rows)
        self._bad = []
        columns = [*nothing, raw, named, pa.array(said, pa.string())]
        yield pa.table(columns, schema=text_schema(self._columns))

    def _require_closed(self, quotes: Iterable[Quotes]) -> None:
        if self._dialect.quote and never_closed(quotes):
            raise BadInputError(unclosed(self._name))

    def _refused(self, error: Exception) -> BadInputError:
        if "straddl" in str(error):
            return BadInputError(
                f"{self._name}: a record has more than {STREAMED_BYTES >> 20} MiB (is a quote never closed?). Where "
                "records are so large, write the file as UTF-8 without compression and comments, or as Parquet."
            )
        return BadInputError(
            f"{self._name} cannot be read as CSV (is a quote never closed?): {str(error).splitlines()[0]}"
        )


def _rows_at_once(table: pa.Table) -> int:
    """How many rows go to Java at a time."""
    return max(1, min(BATCH_ROWS, table.num_rows * BATCH_BYTES // max(1, table.nbytes)))


def _conversion(columns: tuple[str, ...], kind: pa.DataType | None = None) -> pc_csv.ConvertOptions:
    """Texts as they are; a column that the file lacks is null."""
    return pc_csv.ConvertOptions(
        column_types=dict.fromkeys(columns, kind or pa.string()),
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
        include_columns=list(columns),
        include_missing_columns=True,
    )


def unclosed(name: str) -> str:
    """Returns the message about a file with a quote that is never closed."""
    return (
        f"{name}: a quote that opens a field is never closed, so all that follows it is one field. Close it, or "
        "say with --option quote=none that quotes are ordinary characters."
    )


def _utf8(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def text_schema(columns: Sequence[str]) -> pa.Schema:
    """Returns the schema of what `CsvRows` yields."""
    return pa.schema([(name, pa.string()) for name in (*columns, RAW, SOURCE, FAULT)])


def with_points(texts: pa.ChunkedArray, decimal: str, thousands: str) -> pa.ChunkedArray:
    """Returns numbers as texts with a decimal point and nothing between thousands; other texts stay as they are."""
    if thousands:
        mark = re.escape(thousands)
        grouped = pc.match_substring_regex(texts, rf"^\s*[+-]?\d{{1,3}}({mark}\d{{3}})+({re.escape(decimal)}\d+)?\s*$")
        texts = pc.if_else(grouped, pc.replace_substring(texts, thousands, ""), texts)
    if decimal == ",":
        texts = pc.replace_substring_regex(texts, r"^(\s*[+-]?\d*),(\d+([eE][+-]?\d+)?\s*)$", r"\1.\2")
    return texts
