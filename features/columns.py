"""Feature columns: declarations of how raw fields become model inputs.

The names and the meaning are those of `tf.feature_column`. A column is anything with a name, raw `fields`,
and a `graph`: given statistics it returns a function from raw tensors to one tensor. Tables and constants are
made when `graph` is called, once; the function is traced into both the ETL and the exported model.

*Transformed* columns (`Numeric`, `Bucketized`, `Vocabulary`, `HashBucket`, `Crossed`) are computed by the ETL
and stored; ids are int64 with -1 for "no id" (missing, or unseen without a bucket for it), numbers float32.
*Dense views* (`Indicator`, `Embedding`) say how a network reads the ids of such a column, and store nothing.

TensorFlow is imported inside the methods: a declaration costs milliseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from features import storage
from features.errors import BadInputError
from features.statistics import LearnedQuantiles, LearnedVocabulary, Need, Statistics

if TYPE_CHECKING:
    import pyarrow as pa
    import tensorflow as tf

    from features.transform import RawTensors

Transform: TypeAlias = "Callable[[RawTensors], tf.Tensor]"

Normalizer = Literal["none", "zscore", "minmax", "log1p"]

NO_ID = -1


@dataclass(frozen=True)
class Numeric:
    """A number, as it is or normalised with learned statistics.

    Args:
        field: Raw number field.
        normalizer: `none`; `zscore` (x - mean) / deviation; `minmax` (x - min) / (max - min);
            `log1p` the z-score of log(1 + x), for counts and amounts with long tails (negative x counts as 0).
        default: Value of a missing number, before normalising; `None` takes the learned mean.
    """

    field: str
    normalizer: Normalizer = "none"
    default: float | None = None

    @property
    def name(self) -> str:
        return self.field

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    def graph(self, statistics: Statistics) -> Transform:
        """float32 `[batch]`."""
        import tensorflow as tf

        facts = statistics.of(self.field)
        default = self.default if self.default is not None else (facts.mean or 0.0)
        shift, scale = {
            "none": (0.0, 1.0),
            "zscore": (facts.mean, facts.deviation),
            "minmax": (facts.minimum, (facts.maximum or 0.0) - (facts.minimum or 0.0)),
            "log1p": (facts.log_mean, facts.log_deviation),
        }[self.normalizer]
        shift, scale = shift or 0.0, scale or 1.0  # a constant field has no spread: it becomes 0 everywhere

        def transform(raw: "RawTensors") -> "tf.Tensor":
            value = raw.number(self.field, default)
            if self.normalizer == "log1p":
                value = tf.math.log1p(tf.maximum(value, 0.0))
            return value if self.normalizer == "none" else (value - shift) / scale

        return transform


@dataclass(frozen=True)
class Bucketized:
    """A number cut into left-closed intervals: n boundaries make n + 1 ids.

    Args:
        source: The number to cut; its normaliser, if any, comes first.
        boundaries: Rising cut points; a value equal to one belongs to the bucket on its right.
        quantiles: Instead of boundaries: learn them, so that this many buckets hold equally many rows.
            Repeated quantiles (a field that is mostly zero) are merged, which makes fewer buckets.
    """

    source: Numeric
    boundaries: tuple[float, ...] = ()
    quantiles: int = 0

    def __post_init__(self) -> None:
        if bool(self.boundaries) == bool(self.quantiles):
            raise BadInputError(f"{self.name}: give either boundaries or a number of quantiles, not both or neither.")
        if list(self.boundaries) != sorted(set(self.boundaries)):
            raise BadInputError(f"{self.name}: boundaries must rise strictly, got {list(self.boundaries)}.")

    @property
    def name(self) -> str:
        return f"{self.source.name}_bucketized"

    @property
    def fields(self) -> tuple[str, ...]:
        return self.source.fields

    @property
    def needs(self) -> tuple[Need, ...]:
        """What Spark must learn for it."""
        return (LearnedQuantiles(self.source.field, self.quantiles),) if self.quantiles else ()

    def cut_points(self, statistics: Statistics) -> tuple[float, ...]:
        """The boundaries, given or learned."""
        if self.boundaries:
            return self.boundaries
        known = statistics.of(self.source.field).quantiles
        if not known:
            raise BadInputError(f"{self.name}: no quantiles were learned for field {self.source.field!r}.")
        ranks = [round(index * (len(known) - 1) / self.quantiles) for index in range(1, self.quantiles)]
        return tuple(sorted({known[rank] for rank in ranks}))

    def cardinality(self, statistics: Statistics) -> int:
        """Number of ids."""
        return len(self.cut_points(statistics)) + 1

    def graph(self, statistics: Statistics) -> Transform:
        """int64 `[batch]`, 0 … cardinality - 1."""
        import tensorflow as tf

        number = self.source.graph(statistics)
        boundaries = [float(cut) for cut in self.cut_points(statistics)]

        def transform(raw: "RawTensors") -> "tf.Tensor":
            return tf.cast(tf.raw_ops.Bucketize(input=number(raw), boundaries=boundaries), tf.int64)

        return transform


@dataclass(frozen=True)
class Vocabulary:
    """A text with an id by its place in a list.

    Args:
        field: Raw string field.
        words: The list; ids follow its order. Empty: the learned vocabulary, most frequent first.
        size: Keep at most this many learned words; 0 keeps all.
        minimum_count: Leave out learned words rarer than this.
        unseen_buckets: Ids after the list, among which unlisted texts are spread by hash; with 0 they get no id.
    """

    field: str
    words: tuple[str, ...] = ()
    size: int = 0
    minimum_count: int = 1
    unseen_buckets: int = 0

    def __post_init__(self) -> None:
        if len(set(self.words)) != len(self.words):
            twice = sorted({word for word in self.words if self.words.count(word) > 1})
            raise BadInputError(f"Vocabulary of {self.field!r} lists {twice} more than once.")

    @property
    def name(self) -> str:
        return self.field

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    @property
    def needs(self) -> tuple[Need, ...]:
        """What Spark must learn for it."""
        return () if self.words else (LearnedVocabulary(self.field, self.size, self.minimum_count),)

    def listed(self, statistics: Statistics) -> tuple[str, ...]:
        """The words, given or learned."""
        if self.words:
            return self.words
        text = storage.read_bytes(statistics.vocabulary_uri(self.field)).decode()
        learned = [line.rsplit("\t", 1) for line in text.split("\n") if line]
        kept = [word for word, count in learned if int(count) >= self.minimum_count]
        return tuple(kept[: self.size] if self.size else kept)

    def cardinality(self, statistics: Statistics) -> int:
        """Number of ids."""
        return len(self.listed(statistics)) + self.unseen_buckets

    def graph(self, statistics: Statistics) -> Transform:
        """int64 `[batch]`; -1 for missing texts, and for unlisted ones when there are no unseen buckets."""
        import tensorflow as tf

        words = self.listed(statistics)
        table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(
                tf.constant(words, tf.string, [len(words)]), tf.range(len(words), dtype=tf.int64)
            ),
            default_value=NO_ID,
        )

        def transform(raw: "RawTensors") -> "tf.Tensor":
            text = raw.text(self.field)
            ids = table.lookup(text)
            if self.unseen_buckets:
                spread = tf.strings.to_hash_bucket_fast(text, self.unseen_buckets) + len(words)
                ids = tf.where((ids == NO_ID) & (text != ""), spread, ids)
            return ids

        transform.resources = [table]  # type: ignore[attr-defined]  # the exported model must own the table
        return transform


@dataclass(frozen=True)
class HashBucket:
    """A text, or an integer by its decimal text, with an id by hash (FarmHash64 modulo `buckets`).

    Args:
        field: Raw string or integer field.
        buckets: Number of ids; different values may share one.
    """

    field: str
    buckets: int

    @property
    def name(self) -> str:
        return self.field

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    def cardinality(self, statistics: Statistics) -> int:
        """Number of ids."""
        return self.buckets

    def graph(self, statistics: Statistics) -> Transform:
        """int64 `[batch]`; -1 for a missing value."""
        import tensorflow as tf

        def transform(raw: "RawTensors") -> "tf.Tensor":
            text = raw.text(self.field)
            no_id = tf.constant(NO_ID, tf.int64)
            return tf.where(text == "", no_id, tf.strings.to_hash_bucket_fast(text, self.buckets))

        return transform


@dataclass(frozen=True)
class Crossed:
    """The combination of several values, hashed into ids.

    Args:
        keys: Raw field names, or `Bucketized` and `Vocabulary` columns whose ids are crossed. A `HashBucket`
            is refused, as in TensorFlow: cross its raw field, which hashes once instead of twice.
        buckets: Number of ids.
    """

    keys: tuple[str | Bucketized | Vocabulary, ...]
    buckets: int

    def __post_init__(self) -> None:
        if len(self.keys) < 2:
            raise BadInputError(f"A cross needs two keys or more, got {self.keys!r}.")
        for key in self.keys:
            if not isinstance(key, str | Bucketized | Vocabulary):
                raise BadInputError(f"A cross takes field names, Bucketized and Vocabulary columns, got {key!r}.")

    @property
    def name(self) -> str:
        return "_X_".join(sorted(key if isinstance(key, str) else key.name for key in self.keys))

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(field for key in self.keys for field in _fields(key))

    def cardinality(self, statistics: Statistics) -> int:
        """Number of ids."""
        return self.buckets

    def graph(self, statistics: Statistics) -> Transform:
        """int64 `[batch]`; -1 when any key is missing."""
        import tensorflow as tf

        inputs = [key if isinstance(key, str) else key.graph(statistics) for key in self.keys]
        # A bucketized number is never missing: it has its default. An unlisted word is crossed as id -1, as in
        # TensorFlow; only a missing one empties the cross.
        texts = [field for key in self.keys if not isinstance(key, Bucketized) for field in _fields(key)]

        def transform(raw: "RawTensors") -> "tf.Tensor":
            values = [raw.value(key) if isinstance(key, str) else key(raw) for key in inputs]
            absent = [raw.missing(field) for field in texts]
            ids = tf.raw_ops.SparseCross(
                indices=[],
                values=[],
                shapes=[],
                dense_inputs=[value[:, tf.newaxis] for value in values],
                hashed_output=True,
                num_buckets=self.buckets,
                hash_key=0xDECAFCAFFE,  # the default of tf.feature_column.crossed_column
                out_type=tf.int64,
                # What TensorFlow's own crossed_column passes; another type hashes to other ids.
                internal_type=tf.string if all(value.dtype == tf.string for value in values) else tf.int64,
            ).output_values
            if not absent:
                return ids
            return tf.where(tf.reduce_any(tf.stack(absent), axis=0), tf.constant(NO_ID, tf.int64), ids)

        transform.resources = [  # type: ignore[attr-defined]
            table for key in inputs for table in getattr(key, "resources", [])
        ]
        return transform


def _fields(key: str | Bucketized | Vocabulary) -> tuple[str, ...]:
    return (key,) if isinstance(key, str) else key.fields


Categorical = Bucketized | Vocabulary | HashBucket | Crossed
Transformed = Numeric | Categorical


@dataclass(frozen=True)
class Indicator:
    """One-hot of a categorical column: width = its number of ids, all zeros for "no id"."""

    source: Categorical

    @property
    def name(self) -> str:
        return f"{self.source.name}_indicator"

    @property
    def fields(self) -> tuple[str, ...]:
        return self.source.fields


@dataclass(frozen=True)
class Embedding:
    """A learned vector for each id of a categorical column; zeros for "no id".

    Args:
        source: The ids.
        dimension: Length of the vector.
    """

    source: Categorical
    dimension: int

    @property
    def name(self) -> str:
        return f"{self.source.name}_embedding"

    @property
    def fields(self) -> tuple[str, ...]:
        return self.source.fields


Column = Transformed | Indicator | Embedding


def stored(columns: tuple[Column, ...]) -> tuple[Transformed, ...]:
    """The transformed columns behind `columns`, each once, in order of first use.

    Raises:
        BadInputError: if two different columns claim one name.
    """
    by_name: dict[str, Transformed] = {}
    for column in columns:
        source = column.source if isinstance(column, Indicator | Embedding) else column
        if by_name.setdefault(source.name, source) != source:
            raise BadInputError(
                f"Two different columns are called {source.name!r}: {by_name[source.name]} and {source}."
            )
    return tuple(by_name.values())


def needs(columns: tuple[Column, ...]) -> tuple[Need, ...]:
    """What Spark must learn for all of `columns`."""
    found: list[Need] = []
    for column in stored(columns):
        parts = [key for key in column.keys if not isinstance(key, str)] if isinstance(column, Crossed) else [column]
        found += [need for part in parts for need in getattr(part, "needs", ())]
    return tuple(dict.fromkeys(found))


def describe(column: Column) -> dict[str, Any]:
    """A plain description for `features.json`: kind, name, fields and parameters."""
    parameters = {key: value for key, value in vars(column).items() if key not in ("field", "source", "keys")}
    return {"kind": type(column).__name__, "name": column.name, "fields": list(column.fields), **parameters}


def cardinalities(columns: tuple[Transformed, ...], statistics: Statistics) -> dict[str, int]:
    """Number of ids of every categorical column."""
    return {column.name: column.cardinality(statistics) for column in columns if not isinstance(column, Numeric)}


def arrow_schema(columns: tuple[Transformed, ...]) -> "pa.Schema":
    """The Arrow types in which transformed columns are stored."""
    import pyarrow as pa

    return pa.schema(
        [pa.field(column.name, pa.float32() if isinstance(column, Numeric) else pa.int64()) for column in columns]
    )
