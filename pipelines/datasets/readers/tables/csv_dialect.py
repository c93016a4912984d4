"""How a CSV file is written: its encoding, separator, decimals and header, told from its first bytes."""

import codecs
import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.tables.table_format import CsvOptions

if TYPE_CHECKING:
    from _csv import Reader

SAMPLE_BYTES = 256 << 10
"""So much of a file is looked at."""

SEPARATORS = (",", ";", "\t", "|")
NO_SEPARATOR = "\x1f"
"""Of a file with one column, whose texts may hold commas."""

RECORDS = 1000
"""So many of its records are counted."""

MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
"""Byte order marks."""

KINDS, ROLES = ("continuous", "discrete", "string", "time"), ("class", "meta", "ignore")
"""What lines below a header may say of columns."""

ONE_BYTE = ("iso8859", "cp125", "cp437", "cp85", "cp86", "latin", "mac-", "koi8", "ascii")
"""Encodings, by how their names begin, in which a byte below 128 is the character of ASCII wherever it stands."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+")
_WITH_COMMA = re.compile(r"[+-]?\d+(,\d+)?")
_NUMBER = re.compile(r"[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How one file is written.

    Args:
        encoding: Of its text.
        sep: The character between fields.
        quote: The character around fields; empty for none.
        decimal: The character before decimals.
        thousands: The character between thousands; empty for none.
        comment: The character that comment lines begin with; empty for none.
        sure_comments: Whether every line that begins with it is a comment, or only one that is no record.
        names: Of the columns, by their places; an empty one is no column.
        header: Whether they stand in the file.
        start: Where the first row begins: bytes of the file, or of its UTF-8 where it has `whole`.
        whole: Whether it has to be read from its beginning.
        fill: Whether fields that a record lacks at its end are null.
        evidence: What a person may want to know about all this.
    """

    encoding: str
    sep: str
    quote: str
    decimal: str
    thousands: str
    comment: str
    sure_comments: bool
    names: tuple[str, ...]
    header: bool
    start: int
    whole: bool
    fill: bool = False
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Record:
    fields: list[str]
    start: int
    end: int


def sniff(
    sample: bytes, complete: bool, given: CsvOptions, expected: Collection[str], called: str, prefer: str = ","
) -> Dialect:
    """Finds out how a file is written.

    Args:
        sample: Its first bytes, uncompressed.
        complete: Whether that is all of it.
        given: What somebody said.
        expected: Names of columns that the table should have; where the first record holds one, it is the header.
        called: The file, for messages.
        prefer: The separator where nothing tells.

    Raises:
        BadInputError: if it is not text of its encoding, or its records do not have the fields of its header.
    """
    encoding, mark = _encoding(sample, given, called)
    text = _decoded(sample[mark:], complete, encoding, called)
    evidence: list[str] = []
    body = _after(text, given.skip)
    comment = given.comment or ""
    lines = _leading_comments(text[body:], comment or "#") if given.comment != "" else 0
    last_comment, first = body, body
    for _ in range(lines):
        last_comment, first = first, _after(text, 1, first)
    sep = given.sep or _separator(text[first:], complete, given, called, prefer)
    quote = '"' if given.quote is None else given.quote
    records = _records(text, first, complete, sep, quote)
    if not records:
        records = [_Record([""], first, len(text))] if not lines else []
    usual = _usual([len(record.fields) for record in records[1:]] or [len(record.fields) for record in records] or [1])
    if lines:
        told = _records(text, last_comment, complete, sep, quote)[:1]
        if told and len(told[0].fields) == usual > 1 and records and _is_data(records[0].fields):
            records, lines = [*told, *records], lines - 1
    if not comment and given.comment is None:
        inner = any(r.fields and r.fields[0].startswith("#") and len(r.fields) != usual for r in records[1:])
        comment = "#" if lines or inner else ""
    if comment and comment != given.comment:
        evidence.append(f"lines that begin with {comment!r} are comments")
    if comment:
        records = [
            r for r in records if not r.fields[0].startswith(comment) or (not given.comment and len(r.fields) == usual)
        ]
    header = _has_header(records, given, expected)
    names, data = _names(records, header, given, usual, called)
    if not header and given.header is None and not given.names:
        evidence.append(f"its first record looks like a row, not like a header; columns are {names[0]}, …")
    if given.skip_rows and len(records) <= data + given.skip_rows:
        raise BadInputError(f"{called} has fewer records than the {given.skip_rows} that skip_rows leaves out.")
    if given.skip_rows is not None:
        data += given.skip_rows
    elif _says_kinds(records[data : data + 2], len(names)):
        evidence.append("the two lines after its header say kinds and roles of columns, and are no rows")
        data += 2
    start = records[data].start if len(records) > data else len(text)
    decimal = given.decimal or ("," if given.thousands == "." else _decimal(records[data:], sep))
    if decimal == "," and not given.decimal:
        evidence.append("numbers have a decimal comma")
    if sep == NO_SEPARATOR:
        evidence.append("it has one column")
    elif sep != prefer and not given.sep:
        evidence.append(f"fields are separated by {sep!r}: {len(records):,} records of {usual} fields each")
    if encoding != "utf-8" and not given.encoding:
        evidence.append(f"its text is {encoding}")
    one_byte = encoding == "utf-8" or encoding.startswith(ONE_BYTE)
    whole = not one_byte or bool(comment) or "\r" in text.replace("\r\n", "")
    place = len(text[:start].encode("utf-8")) if whole else mark + len(text[:start].encode(encoding))
    return Dialect(
        encoding=encoding,
        sep=sep,
        quote=quote,
        decimal=decimal,
        thousands=given.thousands or "",
        comment=comment,
        sure_comments=bool(given.comment),
        names=names,
        header=header,
        start=place,
        whole=whole,
        fill=given.fill,
        evidence=tuple(evidence),
    )


def _encoding(sample: bytes, given: CsvOptions, called: str) -> tuple[str, int]:
    """The encoding, and the bytes of its mark."""
    for mark, name in MARKS:
        if sample.startswith(mark) and given.encoding in (None, name, "utf-16", "utf-8-sig"):
            return name, len(mark)
    if given.encoding:
        return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(given.encoding, given.encoding), 0
    zeros = sample.count(b"\0")
    if zeros > len(sample) // 4:
        odd = sample[1::2].count(b"\0")
        return ("utf-16-le" if 2 * odd > zeros else "utf-16-be"), 0
    if zeros:
        line = sample[: sample.index(b"\0")].count(b"\n") + 1
        raise BadInputError(f"{called} is no text: a zero byte in line {line:,}. Say what it is with --input-format.")
    return "utf-8", 0


def _decoded(sample: bytes, complete: bool, encoding: str, called: str) -> str:
    try:
        return codecs.getincrementaldecoder(encoding)().decode(sample, complete)
    except UnicodeDecodeError as error:
        raise BadInputError(not_text(sample, error.start, encoding, called, 0)) from None


def not_text(data: bytes, place: int, encoding: str, called: str, lines_before: int) -> str:
    """Returns the message about bytes that are no text.

    Args:
        data: Bytes around them.
        place: Of the first bad one.
        encoding: That it should have been.
        called: The file.
        lines_before: Lines before `data`.
    """
    line = data[:place].count(b"\n") + 1 + lines_before
    begin, end = max(data.rfind(b"\n", 0, place) + 1, place - 20), place + 20
    part = data[begin:end].splitlines()[0]
    return (
        f"{called} is not {encoding}: line {line:,} holds the byte 0x{data[place]:02x}. In cp1252 it reads "
        f"{part.decode('cp1252', 'replace')!r}, in iso8859-1 {part.decode('iso8859-1')!r}. Say which one it is with "
        "--option encoding=cp1252, or write the file as UTF-8."
    )


def _after(text: str, lines: int, start: int = 0) -> int:
    """Where the line after so many begins."""
    for _ in range(lines):
        ends = [place for place in (text.find("\n", start), text.find("\r", start)) if place >= 0]
        if not ends:
            return len(text)
        start = min(ends) + 1
        if text[start - 1 : start + 1] == "\r\n":
            start += 1
    return start


def _leading_comments(text: str, comment: str) -> int:
    count = 0
    for line in io.StringIO(text, newline=None):
        if not line.startswith(comment):
            break
        count += 1
    return count


def fields_of(lines: Iterable[str], sep: str, quote: str) -> "Reader":
    """Returns an iterator over the fields of each record, however long a field is.

    Args:
        lines: With their line ends; a record may have several.
        sep: Between fields.
        quote: Around fields; empty for none.
    """
    csv.field_size_limit(sys.maxsize)
    if quote:
        return csv.reader(lines, delimiter=sep, quotechar=quote)
    return csv.reader(lines, delimiter=sep, quoting=csv.QUOTE_NONE)


def _records(text: str, start: int, complete: bool, sep: str, quote: str) -> list[_Record]:
    """The first records, blank lines left out."""
    lines = io.StringIO(text[start:], newline="").readlines()
    ends = [start]
    for line in lines:
        ends.append(ends[-1] + len(line))
    reader = fields_of(lines, sep, quote)
    found: list[_Record] = []
    before = 0
    try:
        for fields in reader:
            # Of a part of a file the last record may be cut anywhere.
            if reader.line_num == len(lines) and not complete and found:
                break
            if fields:
                found.append(_Record(fields, ends[before], ends[reader.line_num]))
            before = reader.line_num
            if len(found) >= RECORDS:
                break
    except csv.Error:
        pass
    return found


def _usual(counts: Sequence[int]) -> int:
    return Counter(counts).most_common(1)[0][0] if counts else 1


def _separator(text: str, complete: bool, given: CsvOptions, called: str, prefer: str) -> str:
    """The separator that gives most records the fields of the header."""
    quote = '"' if given.quote is None else given.quote
    best, best_rank = prefer, (0.0, 0, False)
    several, short = {}, {}
    for sep in SEPARATORS:
        records = _records(text, 0, complete, sep, quote)
        counts = [len(record.fields) for record in records]
        if not counts:
            continue
        header, rows = counts[0], counts[1:] or counts
        usual = _usual(rows)
        below = sum(1 < count <= header for count in rows) / len(rows)
        fits = below if given.fill else sum(count == usual for count in rows) / len(rows)
        if usual > 1:
            several[sep] = (header, usual, fits)
            if header > usual and below > 0.8:
                short[sep] = header
        if header < 2 or not (given.fill or header in (usual, usual - 1)):
            continue
        rank = (round(fits, 1), header, sep == prefer)
        if rank > best_rank:
            best, best_rank = sep, rank
    if not best_rank[1] and short:
        sep, header = max(short.items(), key=lambda item: item[1])
        raise BadInputError(
            f"{called} has {header} names in its header, and most records have fewer fields, separated by {sep!r}. Say "
            "with --option fill=yes that what they lack at their end is null, or give another --option sep."
        )
    if not best_rank[1] and several:
        sep, (header, usual, fits) = max(several.items(), key=lambda item: item[1][2])
        if fits > 0.8 and usual > 2:
            raise BadInputError(
                f"{called} begins with a line of {header} fields, and the lines after it have {usual}, separated by "
                f"{sep!r}. Say how many lines stand before the header with --option skip=N, or give --option sep."
            )
    return best if best_rank[1] else NO_SEPARATOR


def _is_data(fields: Sequence[str]) -> bool:
    return any(_NUMBER.fullmatch(field.strip()) for field in fields)


def _has_header(records: Sequence[_Record], given: CsvOptions, expected: Collection[str]) -> bool:
    if given.header is not None:
        return given.header
    if not records:
        return True
    first = [field.strip().lstrip("#").strip() for field in records[0].fields]
    if given.names:
        return set(given.names) <= set(first)
    if set(first) & set(expected):
        return True
    named = [field for field in first if field]
    if len(set(named)) < len(named) and _is_data(first):
        return False
    return not _is_data(first)


def _says_kinds(records: Sequence[_Record], columns: int) -> bool:
    """Whether these are the second and the third line of three headers, as Orange and tools that follow it write them.

    Source: Orange's documentation of its native format. The second says `continuous`, `discrete`, `string` or `time`,
    or the values of a column, the third its role. Of single letters, which Orange takes too, nothing is concluded.
    """
    if [len(record.fields) for record in records] != [columns, columns]:
        return False
    kinds, roles = ([field.strip() for field in record.fields] for record in records)
    given = [role for role in roles if role]
    return 2 * sum(kind in KINDS for kind in kinds) >= columns and bool(given) and all(role in ROLES for role in given)


def _names(
    records: Sequence[_Record], header: bool, given: CsvOptions, usual: int, called: str
) -> tuple[tuple[str, ...], int]:
    """The columns' names, and the first record that is a row."""
    if not header:
        if given.names and len(given.names) != usual:
            raise BadInputError(
                f"{called} has {usual} fields in a record, and --option names gives {len(given.names)} names."
            )
        return given.names or tuple(f"column_{place + 1}" for place in range(usual)), 0
    first = [field.strip() for field in records[0].fields] if records else []
    if given.comment != "" and first and first[0].startswith("#") and len(first) > 1:
        first[0] = first[0].lstrip("#").strip()
    rows = [record.fields for record in records[1:]]
    if len(first) == usual - 1 and rows:
        # A separator at the end of every line but the header's, or R's names of rows, which have none.
        ends = all(not fields[-1].strip() for fields in rows if len(fields) == usual)
        first = [*first, ""] if ends else ["Unnamed: 0", *first]
        return _different(first, keep_empty=ends), 1
    if given.names:
        if len(given.names) != len(first):
            raise BadInputError(f"{called} has {len(first)} columns, and --option names gives {len(given.names)}.")
        return given.names, 1
    return _different(first), 1


def _different(names: Sequence[str], keep_empty: bool = False) -> tuple[str, ...]:
    """Every name once, as pandas does it: `a`, `a.1`; those without any are `Unnamed: PLACE`."""
    found: list[str] = []
    for place, name in enumerate(names):
        if not name and keep_empty and place == len(names) - 1:
            found.append("")
            continue
        name = name or f"Unnamed: {place}"
        candidate, count = name, 0
        while candidate in found or (count and candidate in names):
            count += 1
            candidate = f"{name}.{count}"
        found.append(candidate)
    return tuple(found)


def _decimal(records: Sequence[_Record], sep: str) -> str:
    """A comma where a column has numbers with one and nothing else."""
    if sep == "," or not records:
        return "."
    usual = _usual([len(record.fields) for record in records])
    for column in range(usual):
        values = [record.fields[column].strip() for record in records if len(record.fields) == usual]
        values = [value for value in values if value]
        with_comma = sum(bool(_DECIMAL_COMMA.fullmatch(value)) for value in values)
        fits = sum(bool(_WITH_COMMA.fullmatch(value)) for value in values)
        if with_comma and fits >= 0.9 * len(values):
            return ","
    return "."
