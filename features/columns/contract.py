"""What a column is: the seam at which columns of your own join the built-in ones.

A column needs no base class. Whatever has the attributes of `Transformed` is transformed by the ETL and stored;
with `cardinality` too it is `Categorical`, and the dense views take it as a source.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

from emberline.features.errors import BadInputError
from emberline.features.schema import Kind, Schema
from emberline.features.statistics import Need, Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors

Transform: TypeAlias = "Callable[[RawTensors], tf.Tensor]"

NO_ID = -1
"""Stored for a value without an id: missing, or unseen without a bucket for it."""

PAD = -2
"""In padded tensors of ids: behind the row's end. In padded numbers NaN says it."""

StoredType = Literal["float32", "int64", "uint8"]
"""Numbers, ids, or pixels."""

StoredShape = tuple[()] | tuple[int | None] | tuple[int, int, int]
"""Of one row of a stored column: `()` a single value, `(n,)` n values, `(None,)` any number; of a picture its height,
width and channels."""


@runtime_checkable
class Transformed(Protocol):
    """A column that the ETL computes and stores."""

    @property
    def name(self) -> str:
        """Of the stored column and of the network's input."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Raw fields it reads."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What Spark must learn for it, beyond the moments of every number field."""

    @property
    def stored_type(self) -> StoredType:
        """Numbers, ids, or pixels."""

    @property
    def stored_shape(self) -> StoredShape:
        """Shape of one row."""

    def check(self, schema: Schema) -> None:
        """Refuses a schema whose fields it cannot read, before Spark starts.

        Raises:
            BadInputError: saying what to declare instead.
        """

    def graph(self, statistics: Statistics) -> Transform:
        """Returns a function from raw tensors to one tensor `[batch, *stored_shape]`, made once and traced into the ETL
        and the exported model. Rows of any number of values are padded with `PAD` or NaN. Tables hang on its attribute
        `resources`, a list, so that the exported model owns them.
        """


@runtime_checkable
class Categorical(Transformed, Protocol):
    """A transformed column of ids."""

    def cardinality(self, statistics: Statistics) -> int:
        """Returns the number of ids."""


@runtime_checkable
class View(Protocol):
    """A way for a network to read transformed columns; it stores nothing of its own."""

    @property
    def name(self) -> str:
        """Of the view, and of its variables."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Raw fields behind it."""

    @property
    def sources(self) -> tuple[Transformed, ...]:
        """The stored columns it reads."""


Column = Transformed | View


def check_field(
    column: str, schema: Schema, name: str, kinds: tuple[Kind, ...], *, many: bool, shape: tuple[int, ...] = ()
) -> None:
    """Checks that the field `name` has one of `kinds` and the form that the column declares.

    Raises:
        BadInputError: otherwise.
    """
    field = schema.field(name)
    if field.kind not in kinds:
        hint = " Bucketize it first." if field.kind == "float" else ""
        raise BadInputError(f"{column}: field {name!r} is of kind {field.kind}, expected {' or '.join(kinds)}.{hint}")
    if field.several != many:
        has = "any number of values" if field.several else "one value"
        raise BadInputError(
            f"{column}: field {name!r} has {has} per row; declare the column with many={field.several}."
        )
    if field.shape != shape:
        raise BadInputError(
            f"{column}: field {name!r} has the shape {field.shape}, the column {shape}. Give both the same shape."
        )
