"""Results that show themselves as a table: in a notebook as HTML, elsewhere as aligned text."""

import dataclasses
import html
from collections.abc import Iterator, Mapping
from typing import Any

TEXT_LIMIT = 120
"""Characters of a value that a table shows."""

PARTS_LIMIT = 25
"""Entries of a mapping that a table shows."""


class ShownAsTable:
    """A dataclass (declared with `repr=False`) whose fields are the rows of a table.

    Example:
        >>> @dataclasses.dataclass(frozen=True, repr=False)
        ... class Result(ShownAsTable):
        ...     rows: int
        ...     metrics: dict[str, float]
        >>> Result(1200, {"auc": 0.91234})
        Result
          rows         1,200
          metrics.auc  0.9123
    """

    def __repr__(self) -> str:
        rows = list(_rows(self))
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join([type(self).__name__, *(f"  {name:<{width}}  {value}" for name, value in rows)])

    def _repr_html_(self) -> str:
        cells = "".join(
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for name, value in _rows(self)
        )
        return f"<table><caption>{html.escape(type(self).__name__)}</caption>{cells}</table>"


def _rows(shown: Any) -> Iterator[tuple[str, str]]:
    for field in dataclasses.fields(shown):
        value = getattr(shown, field.name)
        if isinstance(value, Mapping):
            yield from _parts(field.name, value)
        elif value not in (None, "", ()):
            yield field.name, _text(value)


def _parts(name: str, mapping: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for count, (key, value) in enumerate(mapping.items()):
        if count == PARTS_LIMIT:
            yield f"{name}.…", f"{len(mapping) - count} more"
            return
        if not isinstance(value, Mapping | list | tuple):
            yield f"{name}.{key}", _text(value)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        words = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        return words if len(words) <= TEXT_LIMIT else words[:TEXT_LIMIT] + "…"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"
