"""Plain values of JSON back as those of frozen dataclasses."""

from typing import Any


def tuples(value: Any) -> Any:
    """Converts lists, at any depth, to tuples; other values stay as they are."""
    return tuple(tuples(item) for item in value) if isinstance(value, list | tuple) else value
