"""A schema as the Python code that declares it. Imports nothing heavy."""

import json
import textwrap
from typing import Any

from emberline.features.schema import Field, Label, Schema

CODE_WIDTH = 100


def declaration(schema: Schema) -> str:
    """Returns the schema as Python code for a dataset module."""
    fields = "".join(
        textwrap.indent(_call("Field", field, ("name", "kind")) + ",\n", " " * 8) for field in schema.fields
    )
    label = textwrap.indent(_call("Label", schema.label, ("name",)), " " * 4).lstrip()
    return (
        "from emberline.features.schema import Field, Label, Schema\n\n"
        "# Limits and domains are what was seen: widen them to what is possible.\n"
        f"SCHEMA = Schema(\n    fields=(\n{fields}    ),\n    label={label},\n    key={_literal(schema.key)},\n)\n"
    )


def _call(name: str, value: Field | Label, leading: tuple[str, ...]) -> str:
    default = Field("", "string") if isinstance(value, Field) else Label("")
    named = {key: found for key, found in vars(value).items() if key not in leading and found != getattr(default, key)}
    parts = [_literal(getattr(value, key)) for key in leading]
    line = f"{name}({', '.join([*parts, *(f'{key}={_literal(found)}' for key, found in named.items())])})"
    if len(line) <= CODE_WIDTH:
        return line
    lines = [f"{part}," for part in parts] + [f"{key}={_wrapped(found)}," for key, found in named.items()]
    return f"{name}(\n{textwrap.indent(chr(10).join(lines), ' ' * 4)}\n)"


def _wrapped(value: Any) -> str:
    """Returns a literal, tuples too long for a line over several."""
    line = _literal(value)
    if not isinstance(value, tuple) or len(line) <= CODE_WIDTH:
        return line
    lines = [""]
    for item in map(_literal, value):
        if lines[-1] and len(lines[-1]) + len(item) > CODE_WIDTH - 6:
            lines.append("")
        lines[-1] += f" {item}," if lines[-1] else f"{item},"
    return f"(\n{textwrap.indent(chr(10).join(lines), ' ' * 4)}\n)"


def _literal(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
