"""Dense views of ids: multi-hot counts and learned vectors."""

from dataclasses import dataclass, field, replace
from typing import Literal

from emberline.features.columns.contract import Categorical, Transformed
from emberline.features.columns.weighted import Weighted
from emberline.features.errors import BadInputError

Combiner = Literal["mean", "sum", "sqrtn"]


@dataclass(frozen=True)
class Indicator:
    """How often, or with what sum of weights, each id is in a row: width = number of ids, all zeros for no id.

    Example:
        >>> from emberline.features.columns import Indicator, Vocabulary
        >>> column = Indicator(Vocabulary("city", ("Oslo", "Rome")))
        >>> column.name, column.fields
        ('city_indicator', ('city',))
    """

    source: Categorical | Weighted

    @property
    def name(self) -> str:
        return f"{self.source.name}_indicator"

    @property
    def fields(self) -> tuple[str, ...]:
        return self.source.fields

    @property
    def sources(self) -> tuple[Transformed, ...]:
        return self.source.sources if isinstance(self.source, Weighted) else (self.source,)


@dataclass(frozen=True)
class Embedding:
    """A learned vector for each id, those of a row combined; zeros for no id.

    Args:
        source: The ids.
        dimension: Length of the vector.
        combiner: Of the vectors of a row: their `mean`, `sum`, or `sqrtn`, the sum divided by the root of the sum of
            squared weights. `mean` and `sqrtn` leave out ids whose weight is not positive.
        max_norm: Longer vectors are shortened to this length when they are looked up.
        initial: First values `[ids, dimension]`: a URI of a `.npy` file, or the rows themselves; otherwise random.
        trainable: Whether training moves them.
        table: Embeddings with one table's name share it; `shared_embeddings` gives it.

    Example:
        >>> from emberline.features.columns import Embedding, HashBucket
        >>> column = Embedding(HashBucket("tags", 100, many=True), 8, combiner="sqrtn")
        >>> column.name, column.dimension
        ('tags_embedding', 8)
    """

    source: Categorical | Weighted
    dimension: int
    combiner: Combiner = "mean"
    max_norm: float | None = None
    initial: str | tuple[tuple[float, ...], ...] = field(default="", repr=False)
    trainable: bool = True
    table: str = ""

    def __post_init__(self) -> None:
        if self.dimension < 1 or (self.max_norm is not None and self.max_norm <= 0):
            raise BadInputError(
                f"{self.name}: expected a dimension of at least 1 and a positive max_norm, got {self.dimension} and "
                f"{self.max_norm}."
            )
        if self.combiner not in ("mean", "sum", "sqrtn"):
            raise BadInputError(f"{self.name}: the combiner is mean, sum or sqrtn, got {self.combiner!r}.")

    @property
    def name(self) -> str:
        return f"{self.source.name}_embedding"

    @property
    def fields(self) -> tuple[str, ...]:
        return self.source.fields

    @property
    def sources(self) -> tuple[Transformed, ...]:
        return self.source.sources if isinstance(self.source, Weighted) else (self.source,)


def shared_embeddings(
    sources: tuple[Categorical | Weighted, ...],
    dimension: int,
    *,
    combiner: Combiner = "mean",
    max_norm: float | None = None,
    initial: str | tuple[tuple[float, ...], ...] = "",
    trainable: bool = True,
) -> tuple[Embedding, ...]:
    """Returns one embedding per source, all with one table: the same id has the same vector in each.

    Args:
        sources: Columns that give equal values equal ids: they differ in nothing but their fields.
        dimension, combiner, max_norm, initial, trainable: see `Embedding`.

    Raises:
        BadInputError: for fewer than two sources, or sources whose ids mean different things.

    Example:
        >>> from emberline.features.columns import HashBucket, shared_embeddings
        >>> sender, receiver = shared_embeddings((HashBucket("from", 100), HashBucket("to", 100)), 8)
        >>> sender.table == receiver.table
        True
    """
    plain = [source.source if isinstance(source, Weighted) else source for source in sources]
    if len(plain) < 2:
        raise BadInputError(f"Shared embeddings need two sources or more, got {len(plain)}.")
    meanings = {_meaning(source) for source in plain}
    if len(meanings) > 1 or any(getattr(need, "field", "") for source in plain for need in source.needs):
        raise BadInputError(
            f"The sources {', '.join(source.name for source in plain)} give different ids to equal values. Let them "
            "share words, a vocabulary file, or a number of buckets."
        )
    table = "_".join(sorted(source.name for source in sources)) + "_shared_embedding"
    return tuple(Embedding(source, dimension, combiner, max_norm, initial, trainable, table) for source in sources)


def _meaning(source: Categorical) -> Categorical:
    """Returns the column without what does not change its ids."""
    blank = {key: value for key, value in (("field", ""), ("many", False), ("called", "")) if hasattr(source, key)}
    return replace(source, **blank)  # type: ignore[type-var]
