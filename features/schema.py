"""What a raw row is: its fields, their types, what counts as missing, and what a good value looks like.

Declared once per dataset. The Spark casts, the raw tensors of the transform graph, the inputs of the
exported model and the registry's signature are all derived from here, so they cannot disagree.
Imports nothing heavy.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from features.errors import BadInputError, nearest
from features.tokens import Tokens

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
        shape: Shape of a number field that holds a fixed-size array per row; the raw column is an array of all
            its elements, row-major. `()` for a single value.
        many: The raw column is an array of any number of values per row; an absent or empty array is a missing value.
        tokens: How a text is split. The raw column holds one text per row; columns see its tokens, as a field of many
            values.

    In a graph a missing string is `""`, a missing float NaN and a missing integer -1. A field in which -1 is
    a value of its own is declared `float`. A field of `many` values is a `[batch, longest]` tensor in which those
    marks fill up short rows, as TensorFlow's own columns take them.

    Raises:
        BadInputError: for a shape that is not positive, of a string, or together with `many`.
    """

    name: str
    kind: Kind
    missing: tuple[str, ...] = ()
    default: str | int | float | None = None
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    required: bool = False
    shape: tuple[int, ...] = ()
    many: bool = False
    tokens: Tokens | None = None

    def __post_init__(self) -> None:
        if self.shape and (self.many or self.kind == "string" or min(self.shape) < 1):
            raise BadInputError(
                f"Field {self.name!r}: a shape holds sizes of at least 1 and is for numbers without `many`, got "
                f"shape={self.shape}, kind={self.kind!r}, many={self.many}."
            )
        if self.tokens and (self.kind != "string" or self.many):
            raise BadInputError(
                f"Field {self.name!r}: only one text per row is split into tokens, got kind={self.kind!r}, "
                f"many={self.many}. Leave out tokens, or many."
            )

    @property
    def several(self) -> bool:
        """Whether columns see any number of values per row."""
        return self.many or self.tokens is not None

    @property
    def spark_type(self) -> str:
        """The Spark SQL type of a checked column."""
        single = {"integer": "bigint", "float": "double", "string": "string"}[self.kind]
        return f"array<{single}>" if self.shape or self.many else single


Task = Literal["binary", "multiclass", "regression"]


@dataclass(frozen=True)
class Label:
    """The target: a class or a number.

    Args:
        name: Its column.
        classes: For each class, by its id, the texts that mean it; any other text rejects the row. The first
            text of a class is its name. Empty: the label is a number.
        minimum: Smallest good number, inclusive.
        maximum: Largest good number, inclusive.

    Raises:
        BadInputError: for a single class, or a text that stands for two.
    """

    name: str
    classes: tuple[tuple[str, ...], ...] = ()
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        texts = [text for names in self.classes for text in names]
        if len(self.classes) == 1 or len(set(texts)) != len(texts) or not all(self.classes):
            raise BadInputError(
                f"Label {self.name!r}: expected two classes or more (or none, for a number), each with texts of "
                f"its own; got {self.classes!r}."
            )

    @property
    def task(self) -> Task:
        """What a model of it does."""
        return "regression" if not self.classes else "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes by id; empty for a number."""
        return tuple(names[0] for names in self.classes)


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

    @property
    def names(self) -> tuple[str, ...]:
        """All fields, the label and the key."""
        return (*(field.name for field in self.fields), self.label.name, self.key)

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
        fields = tuple(_field(field) for field in data["fields"])
        return cls(fields, Label(**{key: _tuples(value) for key, value in data["label"].items()}), data["key"])


def _field(data: dict[str, Any]) -> Field:
    given = {key: _tuples(value) for key, value in data.items() if key != "tokens"}
    tokens = data.get("tokens")
    return Field(**given, tokens=tokens and Tokens(**{key: _tuples(value) for key, value in tokens.items()}))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
