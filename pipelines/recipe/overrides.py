"""`--set field=value`: one field of nested frozen dataclasses replaced by what a text says.

A number or a text is written down; a network and columns are named.
"""

import ast
import dataclasses
import sys
from collections.abc import Mapping
from typing import Any, TypeVar, get_args, get_type_hints

from emberline.features.columns import Column
from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.runtime.catalogue import Catalogue

Declared = TypeVar("Declared")

NETWORKS = Catalogue("network", "NETWORK", "emberline.networks")
COLUMNS = Catalogue("columns", "COLUMNS", "emberline.columns")


def with_overrides(value: Declared, overrides: Mapping[str, str]) -> Declared:
    """Returns a frozen dataclass, such as a recipe, with fields replaced.

    Args:
        value: What is declared.
        overrides: Dotted field to new value as text, such as `{"training.epochs": "3"}`. A network (`model`) and a
            tuple of columns (`model.wide`) are named: `module:NAME`, or an entry point of the groups
            `emberline.networks` and `emberline.columns`.

    Raises:
        BadInputError: for an unknown field, a value of another type, or an unknown name.

    Example:
        >>> from emberline.pipelines.recipe import Optimizer, Training
        >>> training = Training((Optimizer("adam", 0.001),), epochs=5, global_batch=512)
        >>> with_overrides(training, {"epochs": "1", "optimizers.0.learning_rate": "0.01"}).epochs
        1
    """
    for key, text in overrides.items():
        value = replace_field(value, key.split("."), text, key)
    return value


def replace_field(value: Any, path: list[str], text: str, key: str) -> Any:
    """Returns `value` with the field at `path` replaced.

    Args:
        value: A frozen dataclass, a tuple of them, a mapping, or the field's own value at the end of the path.
        path: Names and positions that lead to the field.
        text: The new value, in the type of the present one.
        key: The whole key, for messages.

    Raises:
        BadInputError: for an unknown field, or a value of another type.
    """
    if not path:
        return _parse(value, text, key)
    head, *rest = path
    if isinstance(value, tuple) and value and dataclasses.is_dataclass(value[0]):
        if not head.isdigit() or int(head) >= len(value):
            raise BadInputError(f"--set {key}: expected an index from 0 to {len(value) - 1} where {head!r} stands.")
        index = int(head)
        return (*value[:index], replace_field(value[index], rest, text, key), *value[index + 1 :])
    if isinstance(value, Mapping):
        if head not in value:
            raise BadInputError(
                f"Unknown key {head!r} in --set {key}. {nearest(head, value)} The recipe declares them."
            )
        return {**value, head: replace_field(value[head], rest, text, key)}
    if not dataclasses.is_dataclass(value):
        raise BadInputError(f"--set {key}: there is nothing below a value of type {type(value).__name__}.")
    known = [item.name for item in dataclasses.fields(value)]
    if head not in known:
        raise BadInputError(f"Unknown key {head!r} in --set {key}. {nearest(head, known)}")
    if not rest and _is_network(getattr(value, head)):
        return dataclasses.replace(value, **{head: _network(text)})  # type: ignore[type-var]
    if not rest and dataclasses.is_dataclass(getattr(value, head)):
        below = [item.name for item in dataclasses.fields(getattr(value, head))]
        raise BadInputError(f"--set {key}: {head!r} is a group. Set one of its fields: {', '.join(below)}.")
    allowed = get_args(get_type_hints(type(value))[head]) if not rest else ()
    if allowed and all(isinstance(item, str) for item in allowed) and text not in allowed:
        raise BadInputError(f"--set {key}={text}: {nearest(text, allowed)}")
    try:
        return dataclasses.replace(value, **{head: replace_field(getattr(value, head), rest, text, key)})  # type: ignore[type-var]
    except BadInputError as error:
        raise error if "--set" in str(error) else BadInputError(f"--set {key}={text}: {error}") from error


def _parse(present: Any, text: str, key: str) -> Any:
    """Returns `text` in the type of the value it replaces."""
    if isinstance(present, str):
        return text
    try:
        given = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError):  # the last two of a text that is nested too deeply
        given = text
    if present is None:  # a number that is optional
        if isinstance(given, bool | int | float):
            return given
        raise BadInputError(f"--set {key}={text}: expected a number, or True or False.")
    if isinstance(present, bool):
        if str(text).lower() in ("true", "false"):
            return str(text).lower() == "true"
    elif isinstance(present, int):
        if isinstance(given, int) and not isinstance(given, bool):
            return given
    elif isinstance(present, float):
        if isinstance(given, int | float) and not isinstance(given, bool):
            return float(given)
    elif _are_columns(present):
        return _columns(text)
    elif isinstance(present, tuple) and (not present or isinstance(present[0], int | float | str)):
        items = given if isinstance(given, tuple | list) else (given,)
        if not present or all(isinstance(item, type(present[0])) for item in items):
            return tuple(items)
    else:
        what = type(present).__name__
        raise BadInputError(f"--set {key}: no {what} is set from the command line. Copy the recipe and edit it.")
    raise BadInputError(f"--set {key}={text}: expected a value like {present!r} ({type(present).__name__}).")


def _is_network(value: Any) -> bool:
    """Whether it says what a network is like: its module builds it."""
    return dataclasses.is_dataclass(value) and hasattr(sys.modules.get(type(value).__module__), "build")


def _network(name: str) -> Any:
    found = NETWORKS.named(name)
    if not _is_network(found) or isinstance(found, type):
        raise BadInputError(
            f"{name!r} is no network: its type is {type(found).__name__}. Name what a recipe has as its `model`, an "
            "instance of a Config whose module has `build`."
        )
    return found


def _are_columns(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(item, Column) for item in value)


def _columns(name: str) -> tuple[Column, ...]:
    found = COLUMNS.named(name)
    if isinstance(found, list):
        found = tuple(found)
    if not _are_columns(found):
        raise BadInputError(f"{name!r} is no tuple of columns: its type is {type(found).__name__}.")
    return found  # type: ignore[no-any-return]
