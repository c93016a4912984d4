"""What a raw row is: its fields, their types, what counts as missing, and what a good value looks like.

Declared once per dataset. The Spark casts, the raw tensors of the transform graph, the inputs of the
exported model and the registry's signature are all derived from here, so they cannot disagree.
Imports nothing heavy.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from emberline.features.errors import BadInputError, nearest
from emberline.features.plain import tuples
from emberline.features.tokens import Tokens

Kind = Literal["integer", "float", "string", "image", "sound"]

Resize = Literal["crop", "pad", "stretch"]

SPARK_TYPES: dict[Kind, str] = {
    "integer": "bigint",
    "float": "double",
    "string": "string",
    "image": "binary",
    "sound": "binary",
}

MISSING_INTEGER = -1
"""How a missing integer enters a graph; TensorFlow's own convention for dense integer features."""


def missing_mark(kind: Kind) -> int | float | str:
    """Returns what stands for a missing value of a field in a tensor."""
    marks: dict[Kind, int | float | str] = {
        "integer": MISSING_INTEGER,
        "float": float("nan"),
        "string": "",
        "image": "",
        "sound": "",
    }
    return marks[kind]


@dataclass(frozen=True)
class Field:
    """One raw column.

    Args:
        name: Its name in tables, graphs and signatures.
        kind: `integer` (int64), `float` (float64), `string`, `image`: the bytes of a JPEG, PNG, GIF, BMP or WebP
            file, or bare pixels, or `sound`: the bytes of a WAV file.
        missing: Texts that stand for "no value" in files, besides the empty text.
        default: Value that takes a missing one's place inside the transform graph; `None` keeps it missing.
        minimum: Smallest value of a good row, inclusive; numbers only.
        maximum: Largest value of a good row, inclusive; numbers only.
        allowed: The only texts of a good row; strings only, empty for any.
        required: Whether a row without this value is rejected.
        shape: Shape of a number field that holds a fixed-size array per row; the raw column is an array of all
            its elements, row-major. `()` for a single value. Of an image: the height, width and channels that checked
            rows have it in, as bare pixels; `()` leaves it as it came (`emberline.features.columns.sized` fills it in).
        many: The raw column is an array of any number of values per row; an absent or empty array is a missing value.
        tokens: How a text is split. The raw column holds one text per row; columns see its tokens, as a field of many
            values.
        resize: How an image is made to fit its shape: `crop` keeps the middle, `pad` all of it within black bars,
            `stretch` distorts it.

    In a graph a missing string, image or sound is `""`, a missing float NaN and a missing integer -1. A field in which
    -1 is a value of its own is declared `float`. A field of `many` values is a `[batch, longest]` tensor in which those
    marks fill up short rows, as TensorFlow's own columns take them.

    Raises:
        BadInputError: for a shape that is not positive, of a string, or together with `many`; for several images or
            sounds in a row, or one with a default.

    Example:
        >>> from emberline.features.schema import Field
        >>> Field("age", "integer", minimum=0, maximum=130, required=True).name
        'age'
        >>> Field("tags", "string", many=True).several
        True
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
    resize: Resize = "crop"

    def __post_init__(self) -> None:
        if self.kind == "image" and (self.many or self.default is not None or len(self.shape) not in (0, 3)):
            raise BadInputError(
                f"Field {self.name!r}: an image is one per row, without a default, and its shape is height, width and "
                f"channels; got shape={self.shape}, many={self.many}, default={self.default!r}."
            )
        if self.kind == "sound" and (self.many or self.default is not None or self.shape):
            raise BadInputError(
                f"Field {self.name!r}: a sound is one per row, without a default and of any length; got "
                f"shape={self.shape}, many={self.many}, default={self.default!r}."
            )
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
        single = SPARK_TYPES[self.kind]
        return f"array<{single}>" if self.array else single

    @property
    def is_file(self) -> bool:
        """Whether its value is the content of a file."""
        return self.kind in ("image", "sound")

    @property
    def array(self) -> bool:
        """Whether a row holds several values of it."""
        return self.many or (bool(self.shape) and self.kind != "image")

    @property
    def tensor_shape(self) -> tuple[int | None, ...]:
        """Of one row in a graph: an image is a single value, its bytes."""
        return (None,) if self.many else self.shape if self.array else ()


Task = Literal[
    "binary",
    "multiclass",
    "regression",
    "reconstruction",
    "generation",
    "segmentation",
    "embedding",
    "vectors",
    "language",
    "translation",
]
Purpose = Literal["", "reconstruction", "generation", "segmentation", "embedding", "vectors", "language", "translation"]


@dataclass(frozen=True)
class Label:
    """The target: a class or a number.

    Args:
        name: Its column.
        classes: For each class, by its id, the texts that mean it; any other text rejects the row. The first
            text of a class is its name. Empty: the label is a number.
        minimum: Smallest good number, inclusive.
        maximum: Largest good number, inclusive.
        purpose: Purpose of a model that does not predict the label; empty if it does. `reconstruction` of its input;
            `generation` of similar rows; `segmentation` into the parts that the data marks; `embedding`, in which rows
            of a label are close together; `vectors` of the words of texts; `language`, a language model; `translation`
            of one text into another. Any other names a task of a project, `module:NAME` or an entry point of the group
            `emberline.tasks`; the label is numbers, or classes, as it says.
        writes: Of a `translation`, the text field that a model writes.

    Raises:
        BadInputError: for a single class, or a text that stands for two.

    Example:
        >>> from emberline.features.schema import Label
        >>> Label("sold", classes=(("no",), ("yes",))).classes  # a choice between two classes
        (('no',), ('yes',))
        >>> Label("price", minimum=0).classes  # a number
        ()
    """

    name: str
    classes: tuple[tuple[str, ...], ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    purpose: Purpose | str = ""
    writes: str = ""

    def __post_init__(self) -> None:
        if bool(self.writes) != (self.purpose == "translation"):
            raise BadInputError(
                f"Label {self.name!r}: a translation, and nothing else, writes a field; got purpose={self.purpose!r}, "
                f"writes={self.writes!r}."
            )
        texts = [text for names in self.classes for text in names]
        if len(self.classes) == 1 or len(set(texts)) != len(texts) or not all(self.classes):
            raise BadInputError(
                f"Label {self.name!r}: expected two classes or more (or none, for a number), each with texts of "
                f"its own; got {self.classes!r}."
            )

    @property
    def task(self) -> Task | str:
        """What a model of it does."""
        if self.purpose:
            return self.purpose
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
        more_labels: Further targets of the same row, of which one model predicts all.

    Raises:
        BadInputError: if two columns have one name, or one of several labels is not predicted.

    Example:
        >>> from emberline.features.schema import Field, Label, Schema
        >>> fields = (Field("age", "integer"), Field("city", "string"))
        >>> schema = Schema(fields, Label("sold", (("no",), ("yes",))), key="id")
        >>> schema.field("age").kind
        'integer'
        >>> [field.name for field in schema.subset({"city"}).fields]
        ['city']
    """

    fields: tuple[Field, ...]
    label: Label
    key: str
    more_labels: tuple[Label, ...] = ()

    def __post_init__(self) -> None:
        if not self.more_labels:
            return
        names = list(self.names)
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise BadInputError(f"Two columns are called {twice[0]!r}: fields, labels and key need names of their own.")
        for label in self.labels:
            if label.purpose:
                raise BadInputError(
                    f"Label {label.name!r}: several labels are predicted together, and this one is for "
                    f"{label.purpose}. Leave the purpose, or the other labels, out."
                )

    @property
    def labels(self) -> tuple[Label, ...]:
        """All targets."""
        return (self.label, *self.more_labels)

    @property
    def names(self) -> tuple[str, ...]:
        """All fields, the labels and the key."""
        return (*(field.name for field in self.fields), *(label.name for label in self.labels), self.key)

    def field(self, name: str) -> Field:
        """Returns the field called `name`.

        Raises:
            BadInputError: if there is none, naming the nearest.
        """
        for field in self.fields:
            if field.name == name:
                return field
        raise BadInputError(f"No field {name!r} in the data. {nearest(name, (field.name for field in self.fields))}")

    def subset(self, names: set[str]) -> "Schema":
        """Returns the same schema with only the named fields, in order; what a model asks of its raw rows."""
        for name in sorted(names):
            self.field(name)
        return replace(self, fields=tuple(field for field in self.fields if field.name in names))

    @property
    def values(self) -> "Schema":
        """The same without its images and sounds."""
        return self.subset({field.name for field in self.fields if not field.is_file})

    def with_images_of(self, other: "Schema") -> "Schema":
        """Returns the same, with its images in the size that `other` has them in."""
        images = {field.name: field for field in other.fields if field.kind == "image"}
        return replace(self, fields=tuple(images.get(field.name, field) for field in self.fields))

    def to_json(self) -> dict[str, Any]:
        """Returns a plain description, for `features.json`; `from_json` reads it back."""
        plain = asdict(self)
        for label in (plain["label"], *plain["more_labels"]):
            if not label["writes"]:
                del label["writes"]
        if not self.more_labels:
            del plain["more_labels"]
        for field in plain["fields"]:
            if field["kind"] != "image":
                del field["resize"]
        return plain

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Schema":
        """Returns the reverse of `to_json`."""
        fields = tuple(_field(field) for field in data["fields"])
        label, *more = (
            Label(**{key: tuples(value) for key, value in given.items()})
            for given in (data["label"], *data.get("more_labels", ()))
        )
        return cls(fields, label, data["key"], tuple(more))


def _field(data: dict[str, Any]) -> Field:
    given = {key: tuples(value) for key, value in data.items() if key != "tokens"}
    tokens = data.get("tokens")
    return Field(**given, tokens=tokens and Tokens(**{key: tuples(value) for key, value in tokens.items()}))
