"""Words with ids by their place in a list: given, read from a file, or learned."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns.categorical import FieldIds, padded
from emberline.features.columns.contract import NO_ID, Transform, check_field
from emberline.features.columns.vocabulary_file import count_frequent, count_lines, words_table
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import LearnedVocabulary, Need, Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors


@dataclass(frozen=True)
class Vocabulary(FieldIds):
    """A text, or an integer, with an id by its place in a list of words.

    Args:
        field: Raw string or integer field.
        words: The list; ids follow its order. Without it and without a file, the vocabulary is learned, most
            frequent first.
        size: Keep at most so many words of the file or of the learned ones; 0 keeps all.
        minimum_count: Leave out learned words rarer than this.
        unseen_buckets: Ids after the list, among which unlisted words are spread by hash.
        file: URI of a file with one word per line, of any length.
        default: Id of unlisted words when there are no buckets for them; -1 gives them none.
        many: The field holds any number of values.
        called: Name of the stored column, where several columns read one field.

    Example:
        >>> from emberline.features.columns import Vocabulary
        >>> from emberline.features.preview import preview
        >>> rows = {"city": ["Rome", "Paris", "Rome", None]}
        >>> preview([Vocabulary("city", ("Oslo", "Rome"), unseen_buckets=1)], rows)
        {'city': [1, 2, 1, -1]}
        >>> preview([Vocabulary("city")], rows)  # learned, the most frequent word first
        {'city': [0, 1, 0, -1]}
    """

    field: str
    words: tuple[str, ...] | tuple[int, ...] = ()
    size: int = 0
    minimum_count: int = 1
    unseen_buckets: int = 0
    file: str = ""
    default: int = NO_ID
    many: bool = False
    called: str = ""

    def __post_init__(self) -> None:
        if len(set(self.words)) != len(self.words):
            twice = sorted({word for word in self.words if self.words.count(word) > 1})  # type: ignore[type-var,arg-type]
            raise BadInputError(f"Vocabulary of {self.field!r} lists {twice} more than once.")
        if self.words and (self.file or self.size):
            raise BadInputError(f"Vocabulary of {self.field!r}: words are listed; drop the file and the size.")
        if (self.words or self.file) and self.minimum_count > 1:
            raise BadInputError(f"Vocabulary of {self.field!r}: only learned words have counts; drop minimum_count.")
        if self.default != NO_ID and self.unseen_buckets:
            raise BadInputError(f"Vocabulary of {self.field!r}: give unlisted words a default or buckets, not both.")

    @property
    def needs(self) -> tuple[Need, ...]:
        given = self.words or self.file
        return () if given else (LearnedVocabulary(self.field, self.size, self.minimum_count),)

    def check(self, schema: Schema) -> None:
        check_field(f"Vocabulary {self.name!r}", schema, self.field, ("string", "integer"), many=self.many)

    def word_count(self, statistics: Statistics) -> int:
        """Returns the number of words, given or learned.

        Raises:
            BadInputError: if nothing was learned, the file cannot be read, or it has fewer words than `size`.
        """
        if self.words:
            return len(self.words)
        if self.file:
            lines = count_lines(self.file)
            if lines < self.size:
                raise BadInputError(
                    f"The vocabulary file {self.file!r} has {lines:,} words, size asks for {self.size:,}."
                )
            return self.size or lines
        learned = statistics.vocabulary(self.field)
        found = learned.words
        if self.minimum_count > 1:
            cuts = dict(learned.cuts)
            found = cuts.get(self.minimum_count, -1)
            if found < 0:
                found = count_frequent(statistics.vocabulary_uri(self.field), self.minimum_count)
        return min(found, self.size) if self.size else found

    def cardinality(self, statistics: Statistics) -> int:
        """Returns the number of ids."""
        return self.word_count(statistics) + self.unseen_buckets

    def graph(self, statistics: Statistics) -> Transform:
        """Returns int64 `[batch]` or `[batch, longest]`; `NO_ID` for missing words, and for unlisted ones without an
        id.
        """
        import tensorflow as tf

        listed = self.word_count(statistics)
        table = self._table(listed, statistics)

        def look_up(text: "tf.Tensor") -> "tf.Tensor":
            ids = table.lookup(text)
            if self.unseen_buckets:
                spread = tf.strings.to_hash_bucket_fast(text, self.unseen_buckets) + listed
                return tf.where((ids == NO_ID) & (text != ""), spread, ids)
            if self.default != NO_ID:
                return tf.where((ids == NO_ID) & (text != ""), tf.constant(self.default, tf.int64), ids)
            return ids

        def transform(raw: "RawTensors") -> "tf.Tensor":
            ids = raw.each_text(self.field, look_up)
            return padded(raw, self.field, ids) if self.many else ids

        transform.resources = [table]  # type: ignore[attr-defined]  # the exported model must own the table
        return transform

    def _table(self, listed: int, statistics: Statistics) -> "tf.lookup.StaticHashTable":
        import tensorflow as tf

        if self.words or not listed:
            # TensorFlow refuses empty tables; the empty text has no id anyway.
            words = [str(word) for word in self.words] or [""]
            places = tf.range(len(words), dtype=tf.int64) if listed else tf.constant([NO_ID], tf.int64)
            initializer = tf.lookup.KeyValueTensorInitializer(tf.constant(words, tf.string), places)
            return tf.lookup.StaticHashTable(initializer, default_value=NO_ID)
        uri = self.file or statistics.vocabulary_uri(self.field)
        return words_table(uri, listed, counted=not self.file)
