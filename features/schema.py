"""What a raw row is: its fields, their types, what counts as missing, and what a good value looks like.

Declared once per dataset. The Spark casts, the raw tensors of the transform graph, the inputs of the
exported model and the registry's signature are all derived from here, so they cannot disagree.
Imports nothing heavy.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from features.errors import BadInputError, nearest

Kind = Literal["integer", "float", "string"]

MISSING_INTEGER = -1
"""How a missing integer enters a graph; TensorFlow's own convention for dense integer features."""


@dataclass(frozen=True)
class Field:
    """One raw column.

    Args:
        name: Its name in tables, graphs and signatures.
        kind: `integer` (int64), `float` (float64) or `string`.
        missing: Texts that stand for "no value" in files, besides the empty text.
        default: Value that takes a missing one's place inside the transform graph; `None` keeps it missing.
        minimum: Smallest value of a good row, inclusive; numbers only.
        maximum: Largest value of a good row, inclusive; numbers only.
        allowed: The only texts of a good row; strings only, empty for any.
        required: Whether a row without this value is rejected.

    In a graph a missing string is `""`, a missing float NaN and a missing integer -1. A field in which -1 is
    a value of its own is declared `float`.
    """

    name: str
    kind: Kind
    missing: tuple[str, ...] = ()
    default: str | int | float | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    required: bool = False

    @property
    def spark_type(self) -> str:
        """The Spark SQL type of a checked column."""
        return {"integer": "bigint", "float": "double", "string": "string"}[self.kind]


@dataclass(frozen=True)
class Label:
    """The binary target: which texts mean 1 and which mean 0; any other text rejects the row."""

    name: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]


@dataclass(frozen=True)
class Schema:
    """The fields of a dataset, the label, and the key that follows a row from file to prediction.

    Args:
        fields: The raw columns, in file order.
        label: The target.
        key: Name of the string column that identifies a row.
    """

    fields: tuple[Field, ...]
    label: Label
    key: str

    def field(self, name: str) -> Field:
        """The field called `name`.

        Raises:
            BadInputError: if there is none, naming the nearest.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise BadInputError(f"No field {name!r} in the data. {nearest(name, (field.name for field in self.fields))}")

    def subset(self, names: set[str]) -> "Schema":
        """The same schema with only the named fields, in order; what a model asks of its raw rows."""
        for name in sorted(names):
            self.field(name)
        return Schema(tuple(field for field in self.fields if field.name in names), self.label, self.key)

    def to_json(self) -> dict[str, Any]:
        """A plain description, for `features.json`; `from_json` reads it back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Schema":
        """The reverse of `to_json`."""
        fields = tuple(
            Field(**{**field, "missing": tuple(field["missing"]), "allowed": tuple(field["allowed"])})
            for field in data["fields"]
        )
        label = data["label"]
        return cls(fields, Label(label["name"], tuple(label["positive"]), tuple(label["negative"])), data["key"])
