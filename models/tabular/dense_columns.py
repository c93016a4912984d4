"""Which columns a dense network can read: numbers, and ids behind a view that makes numbers of them."""

from collections.abc import Sequence
from typing import TypeAlias

from emberline.features.columns import Bucketized, Column, Embedding, Indicator, Numeric, View
from emberline.features.errors import BadInputError

DenseColumn: TypeAlias = Numeric | Bucketized | Indicator | Embedding


def require_dense(columns: Sequence[Column]) -> None:
    """Refuses ids as they are, and numbers of any count, when a network is declared.

    Raises:
        BadInputError: naming the column.
    """
    for column in columns:
        if isinstance(column, Bucketized | Indicator | Embedding):
            continue
        if isinstance(column, View) or column.stored_type != "float32" or column.stored_shape == (None,):
            raise BadInputError(
                f"Column {column.name!r} is not dense: wrap ids in Indicator or Embedding, and read numbers of any "
                "count with sequence_features."
            )
