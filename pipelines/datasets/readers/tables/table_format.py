"""What a table is written in, where its files do not say it or say it wrong."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from emberline.features.errors import BadInputError, nearest

FORMATS = ("parquet", "orc", "csv", "json", "tfrecord")

NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", "none": ""}
"""Words for characters that are hard to give on a command line."""

SWITCH = {"yes": True, "true": True, "no": False, "false": False}


@dataclass(frozen=True)
class CsvOptions:
    """How a CSV file is written, as far as somebody said so; None is for the reader to find out.

    Args:
        sep: The character between fields.
        quote: The character around fields that hold separators; empty for none.
        decimal: The character before decimals: `.` or `,`.
        thousands: The character between thousands.
        encoding: A name that Python's codecs know.
        header: Whether the first record holds the names.
        names: The names of the columns, instead of those of the header.
        comment: The character that comment lines begin with.
        skip: Lines before the header, or before the first record.
        skip_rows: Records behind the header that are no rows; None: those that say kinds and roles of columns.
        fill: Whether fields that a record lacks at its end are null; else it is no row.
    """

    sep: str | None = None
    quote: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None
    header: bool | None = None
    names: tuple[str, ...] = ()
    comment: str | None = None
    skip: int = 0
    skip_rows: int | None = None
    fill: bool = False


@dataclass(frozen=True)
class TableFormat:
    """A format, and options of it.

    Args:
        format: One of `FORMATS`; empty: what the files' names say.
        options: Of a CSV file, those of `CsvOptions` as texts; other formats have none.

    Raises:
        BadInputError: for a format or an option that does not exist.

    Example:
        >>> TableFormat("csv", {"sep": "tab", "header": "no", "names": "id,x,sold"}).csv.names
        ('id', 'x', 'sold')
    """

    format: str = ""
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.format and self.format not in FORMATS:
            raise BadInputError(f"Unknown format {self.format!r} of a table. {nearest(self.format, FORMATS)}")
        if self.options and self.format not in ("", "csv"):
            raise BadInputError(
                f"A table of the format {self.format!r} takes no options, got {', '.join(self.options)}; "
                "they are for CSV."
            )
        _ = self.csv

    @cached_property
    def csv(self) -> CsvOptions:
        """The options of a CSV file."""
        given: dict[str, object] = {}
        for name, text in self.options.items():
            if name not in _PARSED:
                raise BadInputError(f"Unknown option {name!r} of a CSV table. {nearest(name, _PARSED)}")
            try:
                given[name] = _PARSED[name](text)
            except (ValueError, LookupError) as error:
                raise BadInputError(f"Option {name}={text!r} of a CSV table: {error}") from None
        return CsvOptions(**given)  # type: ignore[arg-type]

    def overridden(self, other: "TableFormat | None") -> "TableFormat":
        """Returns the format of `other`, completed with this one where `other` says nothing."""
        if other is None:
            return self
        kept = self.options if other.format in ("", self.format, "csv") else {}
        return TableFormat(other.format or self.format, {**kept, **other.options})

    def to_json(self) -> dict[str, object]:
        """Returns plain values; `TableFormat(**values)` is the same again."""
        return {"format": self.format, "options": dict(self.options)}


def _character(text: str) -> str:
    text = NAMED.get(text, text)
    if len(text) > 1 or not text.isascii():
        raise ValueError(f"Expected a single ASCII character, or one of {', '.join(sorted(NAMED))}.")
    return text


def _one_character(text: str) -> str:
    if not (found := _character(text)):
        raise ValueError("Expected a character, got none.")
    return found


def _decimal(text: str) -> str:
    if _character(text) not in (".", ","):
        raise ValueError("Expected . or ,.")
    return _character(text)


def _encoding(text: str) -> str:
    return codecs.lookup(text).name


def _switch(text: str) -> bool:
    if text.lower() not in SWITCH:
        raise ValueError("Expected yes or no.")
    return SWITCH[text.lower()]


def _count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("Expected a number of lines.")
    return int(text)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names) or len(set(names)) < len(names):
        raise ValueError("Expected different names, separated by commas.")
    return names


_PARSED = {
    "sep": _one_character, "quote": _character, "decimal": _decimal, "thousands": _character, "encoding": _encoding,
    "header": _switch, "names": _names, "comment": _character, "skip": _count, "skip_rows": _count,
    "fill": _switch,
}  # fmt: skip
