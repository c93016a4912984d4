"""CSV files to rows by Arrow, in parts that are cut anywhere: Python's own csv module is the oracle."""

import bz2
import csv
import gzip
import io
from pathlib import Path

import pandas
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.csv_dialect import sniff
from emberline.pipelines.datasets.readers.tables.csv_rows import CsvFile, CsvRows, text_schema
from emberline.pipelines.datasets.readers.tables.csv_splits import CsvPart, chained, count_quotes, cut, never_closed
from emberline.pipelines.datasets.readers.tables.table_files import TableFile
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.text_stream import open_plain


def read(path: Path, part_bytes: int = 0, **options: str) -> pa.Table:
    """All rows, in parts of so many bytes."""
    file = TableFile(str(path), path.stat().st_size, {})
    with open_plain(file) as stream:
        dialect = sniff(bytes(stream.read()), True, TableFormat("csv", options).csv, (), path.name)
    parts: list[CsvPart] | None = None
    if not (dialect.whole or file.compression):
        ranges = cut(dialect.start, file.size, part_bytes or file.size)
        quotes = [count_quotes(file.uri, *one, dialect.sep, dialect.quote) for one in ranges]
        parts = chained(0, ranges, quotes) if part_bytes else [CsvPart(0, dialect.start, file.size)]
    columns = tuple(name for name in dialect.names if name)
    job = CsvRows([CsvFile(file, path.name, dialect)], [parts or [CsvPart(0, 0, -1)]], columns, frozenset(columns))
    tasks = pa.RecordBatch.from_pydict({"task": [0]})
    return pa.Table.from_batches(list(job(iter([tasks]))), text_schema(columns))


def rows(table: pa.Table) -> list[list[str | None]]:
    names = [name for name in table.column_names if name not in ("_raw", "_source", "_fault")]
    return [list(row) for row in zip(*(table[name].to_pylist() for name in names), strict=True)]


def write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


TEXTS = st.text(st.sampled_from('ab ,;"\n\r\\é'), max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(TEXTS, min_size=3, max_size=3), min_size=1, max_size=40), st.integers(1, 200))
def test_every_cut_gives_every_row_once(tmp_path: Path, table: list[list[str]], part_bytes: int) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b", "c"])
    writer.writerows(table)
    path = write(tmp_path / "rows.csv", text.getvalue())
    wanted = [[value or None for value in row] for row in csv.reader(io.StringIO(text.getvalue(), newline=""))][1:]
    found = read(path, part_bytes)
    assert rows(found) == wanted
    assert pc.all(pc.is_null(found["_fault"])).as_py()


def test_quotes_as_rfc_4180_has_them(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", 'id,name,path\n0,"Roe, ""Al"", Jr.\nx","C:\\data\\"\n1,5" pipe,\n')
    assert rows(read(path)) == [["0", 'Roe, "Al", Jr.\nx', "C:\\data\\"], ["1", '5" pipe', None]]


def test_quotes_within_fields_keep_a_file_in_one_part(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "a,b\n" + '5" pipe,2\n3,4\n' * 50)
    assert count_quotes(str(path), 4, path.stat().st_size, ",", '"').regular == (False, False)
    assert rows(read(path, 20)) == [['5" pipe', "2"], ["3", "4"]] * 50


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", 'a,b\n1,2\n3,"x\n4,5\n')
    with pytest.raises(BadInputError, match=r"rows.csv: a quote that opens a field is never closed.*quote=none"):
        read(path)
    assert never_closed([count_quotes(str(path), 4, path.stat().st_size, ",", '"')])
    assert rows(read(path, quote="none")) == [["1", "2"], ["3", '"x'], ["4", "5"]]
    packed = write(tmp_path / "rows.csv.gz", gzip.compress(path.read_bytes()))
    with pytest.raises(BadInputError, match="is never closed"):
        read(packed)


def test_what_is_no_record_is_told_and_kept(tmp_path: Path) -> None:
    found = read(write(tmp_path / "rows.csv", "a,b\n1,2\n3\n4,5,6\n7,8\n"))
    assert rows(found) == [["1", "2"], ["7", "8"], [None, None], [None, None]]
    assert found["_raw"].to_pylist() == [None, None, "3", "4,5,6"]
    assert found["_fault"].to_pylist() == [None, None, "expected 2 fields, got 1", "expected 2 fields, got 3"]
    assert set(found["_source"].to_pylist()) == {"rows.csv"}


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_short_records_are_filled_where_asked_as_pandas_fills_them(tmp_path: Path, ending: str) -> None:
    text = 'a;b;c\n1,5;"x;\n""y""";z\n2,5;"p;\nq"\n3\n4;;;5\n'
    path = write(tmp_path / f"rows.csv{ending}", gzip.compress(text.encode()) if ending else text)
    table = pandas.read_csv(io.StringIO(text.replace("4;;;5\n", "")), sep=";", dtype=str)
    theirs = [[None if pandas.isna(value) else value for value in row] for row in table.to_numpy().tolist()]
    found = read(path, fill="yes")
    wanted = [[row[0].replace(",", "."), *row[1:]] for row in theirs]
    assert rows(found) == [*wanted, [None, None, None]]
    assert found["_fault"].to_pylist() == [None, None, None, "expected 3 fields, got 4"]
    assert read(path)["_fault"].to_pylist().count("expected 3 fields, got 2") == 1


def test_a_table_whose_records_mostly_are_short_is_no_table_of_one_column(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "a,b,c\n1,2\n3,4\n5,6,7\n8,9\n")
    with pytest.raises(BadInputError, match=r"has 3 names in its header, .*','. Say with --option fill=yes"):
        read(path)
    assert rows(read(path, fill="yes")) == [["5", "6", "7"], ["1", "2", None], ["3", "4", None], ["8", "9", None]]
    assert rows(read(write(tmp_path / "text.csv", "text\nWell, yes\nno\n"))) == [["Well, yes"], ["no"]]


def test_a_row_that_is_no_utf8_is_a_bad_row(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", b"a,b\n1,x\n")
    dialect = sniff(path.read_bytes(), True, TableFormat().csv, (), path.name)
    write(path, b"a,b\n1,x\n2,\xff\n3,y\n")
    file = TableFile(str(path), path.stat().st_size, {})
    for part in (CsvPart(0, 4, file.size), CsvPart(0, 0, -1)):
        job = CsvRows([CsvFile(file, path.name, dialect)], [[part]], ("a", "b"), frozenset())
        found = pa.Table.from_batches(list(job(iter([pa.RecordBatch.from_pydict({"task": [0]})]))))
        assert rows(found) == [["1", "x"], ["2", None], ["3", "y"]]
        assert found["_fault"].to_pylist() == [None, "b is not UTF-8", None]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path / "rows.csv", 'id;town\n1;"Köln;\n"\n2;Zürich\n'.encode(encoding))
    given = {"encoding": "latin-1"} if encoding == "latin-1" else {}
    assert rows(read(path, **given)) == [["1", "Köln;\n"], ["2", "Zürich"]]


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_compressed_files(tmp_path: Path, ending: str, pack: object) -> None:
    path = write(tmp_path / f"rows.csv.{ending}", pack(b"a,b\n1,2\n"))  # type: ignore[operator]
    assert rows(read(path)) == [["1", "2"]]
    with pytest.raises(BadInputError, match="compressed with 'snappy'"):
        open_plain(TableFile(str(write(tmp_path / "rows.csv.snappy", b"x")), 1, {}))


def test_comments(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "# made by me, today\nid,x\n1,2\n# end\n#3,4\n5,6\n")
    assert rows(read(path)) == [["1", "2"], ["#3", "4"], ["5", "6"]]
    assert rows(read(path, comment="#")) == [["1", "2"], ["5", "6"]]


def test_commas_become_points_in_numbers_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "id;x;y\n1;0,5;1.234,5\n2;7;x,5\n3;-,25;12.000\n")
    assert rows(read(path, thousands=".")) == [["1", "0.5", "1234.5"], ["2", "7", "x,5"], ["3", "-.25", "12000"]]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_what_java_has_no_room_for(tmp_path: Path, ending: str) -> None:
    """A field of 70 MiB is no row; of a stream, of which Arrow holds two blocks at most, one of 40 is told."""
    size = (40 if ending else 70) << 20
    text = b'a,b\n1,2\n3,"' + b"x" * size + b'"\n5,6\n'
    path = write(tmp_path / f"rows.csv{ending}", gzip.compress(text, 1) if ending else text)
    if ending:
        with pytest.raises(BadInputError, match="more than 16 MiB"):
            read(path)
        return
    found = read(path)
    assert rows(found) == [["1", "2"], ["3", None], ["5", "6"]]
    assert found["_fault"].to_pylist() == [None, "b has 70 MiB, and may have 64", None]


def test_few_large_rows_go_to_java_at_a_time(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", b"a\n" + (b"x" * (3 << 20) + b"\n") * 10)
    file = TableFile(str(path), path.stat().st_size, {})
    with open_plain(file) as stream:
        dialect = sniff(bytes(stream.read()), True, TableFormat("csv", {}).csv, (), path.name)
    job = CsvRows([CsvFile(file, path.name, dialect)], [[CsvPart(0, dialect.start, file.size)]], ("a",), frozenset())
    batches = list(job(iter([pa.RecordBatch.from_pydict({"task": [0]})])))
    assert sum(batch.num_rows for batch in batches) == 10
    assert max(batch.num_rows for batch in batches) <= 3
