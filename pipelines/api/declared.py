"""A declaration, such as a recipe, as plain JSON values and back: dataclasses, tuples, mappings, functions by name.

Reading one makes dataclasses and looks names up; nothing else of what the text names is called.
"""

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.readers.named_table import NamedTable


def to_plain(value: Any) -> Any:
    """Converts the declaration to JSON values.

    Raises:
        BadInputError: if some part of it is no declaration, or is of a notebook or script, which cannot be imported.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {"mapping": [[to_plain(key), to_plain(item)] for key, item in value.items()]}
    if type(value) is NamedTable:
        form = {"format": value.form.format, "options": to_plain(dict(value.form.options))}
        return {"table": {"name": value.name, "schema": to_plain(value.schema)} | form}
    if _is_declared(type(value)):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {"class": _name(type(value)), "fields": {name: to_plain(getattr(value, name)) for name in fields}}
    if callable(value) and hasattr(value, "__qualname__"):
        return {"name": _name(value)}
    raise BadInputError(f"A {type(value).__name__} cannot be saved: it is no dataclass, function or plain value.")


def from_plain(plain: Any) -> Any:
    """Returns the declaration that `to_plain` wrote.

    Raises:
        BadInputError: if a module or name of it is not there, or what should be a dataclass is none.
    """
    if isinstance(plain, list):
        return tuple(from_plain(item) for item in plain)
    if not isinstance(plain, dict):
        return plain
    if "mapping" in plain:
        return {from_plain(key): from_plain(item) for key, item in plain["mapping"]}
    if "table" in plain:
        table = plain["table"]
        options = from_plain(table["options"])
        return NamedTable(table["name"], from_plain(table["schema"]), format=table["format"], options=options)
    if "name" in plain:
        return _found(plain["name"])
    made = _found(plain["class"])
    if not isinstance(made, type) or not _is_declared(made):
        raise BadInputError(f"{plain['class']} is no dataclass: this is no declaration that emberline saved.")
    return made(**{name: from_plain(item) for name, item in plain["fields"].items()})


def _is_declared(kind: type) -> bool:
    """Whether values of this type are made of their fields, by its own or an inherited declaration."""
    return dataclasses.is_dataclass(kind) and ("__dataclass_fields__" in vars(kind) or "__init__" not in vars(kind))


def _name(thing: Any) -> str:
    name = f"{thing.__module__}:{thing.__qualname__}"
    if thing.__module__ == "__main__" or "<" in name:
        raise BadInputError(
            f"{thing.__qualname__} is of a notebook, a script or another function, where nobody else can import it: "
            "move it into a module to save what uses it."
        )
    return name


def _found(name: str) -> Any:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise BadInputError(f"{name} was saved, and is not here: {error}. Install the code that it is of.") from error
    return found
