"""How common the words of a text are, beside their ids."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features import storage
from emberline.features.columns.contract import PAD, StoredShape, Transform
from emberline.features.columns.unstructured.segments import Segments
from emberline.features.columns.vocabulary import Vocabulary
from emberline.features.columns.vocabulary_file import local_words
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Need, Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors


@dataclass(frozen=True)
class Frequency:
    """The share that each word of a text has of all words of the training split, in the places of the word's id.

    What has no place in the vocabulary shares what is left.

    Args:
        source: The ids, of a learned vocabulary.

    Example:
        >>> from emberline.features.columns import Frequency, Vocabulary
        >>> from emberline.features.preview import preview
        >>> words = Vocabulary("words", many=True)
        >>> preview([Frequency(words)], {"words": [["a", "b", "a"], ["a"]]})
        {'words_frequency': [[0.75, 0.25, 0.75], [0.75]]}
    """

    source: Segments | Vocabulary

    @property
    def name(self) -> str:
        return f"{self.source.name}_frequency"

    @property
    def fields(self) -> tuple[str, ...]:
        return self.source.fields

    @property
    def needs(self) -> tuple[Need, ...]:
        return self.source.needs

    @property
    def stored_type(self) -> Literal["float32"]:
        return "float32"

    @property
    def stored_shape(self) -> StoredShape:
        return (None,)

    def check(self, schema: Schema) -> None:
        self.source.check(schema)
        if not self.source.needs or not self.source.many:
            raise BadInputError(f"{self.name}: only the words of texts with a learned vocabulary were counted.")

    def graph(self, statistics: Statistics) -> Transform:
        """Returns float32 `[batch, longest]`, NaN behind the end of a row; 0 for a word without an id."""
        import tensorflow as tf

        words = self.source.words if isinstance(self.source, Segments) else self.source
        listed, size = words.word_count(statistics), self.source.cardinality(statistics)
        uri, total = statistics.vocabulary_uri(words.field), statistics.of(words.field).values
        lines = storage.read_text(local_words(uri, listed)).split("\n")[:listed]
        counts = [int(line.rpartition("\t")[2]) for line in lines]
        left = (total - sum(counts)) / max(1, size - listed)
        shares = tf.constant([count / total for count in counts] + [left / total] * (size - listed), tf.float32)
        ids_of = self.source.graph(statistics)

        def transform(raw: "RawTensors") -> "tf.Tensor":
            ids = ids_of(raw)
            found = tf.where(ids < 0, 0.0, tf.gather(shares, tf.maximum(ids, 0)))
            return tf.where(ids == PAD, float("nan"), found)

        transform.resources = getattr(ids_of, "resources", [])  # type: ignore[attr-defined]
        return transform
