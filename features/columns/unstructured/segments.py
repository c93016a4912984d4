"""Words found in unbroken text: Chinese without blanks, or compounds nobody saw before."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from emberline.features import storage
from emberline.features.columns.categorical import FieldIds
from emberline.features.columns.contract import NO_ID, PAD, StoredShape, Transform, check_field
from emberline.features.columns.vocabulary import Vocabulary
from emberline.features.columns.vocabulary_file import local_words, words_table
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Need, Statistics

if TYPE_CHECKING:
    import tensorflow as tf

    from emberline.features.columns.raw_tensors import RawTensors

    _Pair: TypeAlias = tuple[tf.Tensor, tf.Tensor]


@dataclass(frozen=True)
class Segments(FieldIds):
    """Tokens with ids from a learned vocabulary; a token that is not in it is cut into the likeliest words that are.

    Of all ways to cut a token into listed words and single characters, the one of the highest product of word
    frequencies is taken (a unigram model; Viterbi). So a network trained on segmented text reads unsegmented text.
    A character that is no word counts as seen half a time; a run of them is one unknown word.

    Args:
        field: Text field with tokens.
        size: Keep at most so many learned words; 0 keeps all.
        minimum_count: Leave out learned words rarer than this.
        longest: Characters of the longest word that a token is cut into.
        file: URI of a file of words with their counts, as a learned vocabulary is; then nothing is learned of the
            field, whose texts need not be segmented.
        called: Name of the stored column, where several columns read one field.

    Example:
        >>> from emberline.features.columns import Segments
        >>> from emberline.features.preview import preview
        >>> from emberline.features.schema import Field
        >>> from emberline.features.tokens import Tokens
        >>> text = Field("text", "string", tokens=Tokens())
        >>> preview([Segments("text", minimum_count=2)], {"text": ["ab cd", "ab cd", "abcd"]}, [text])
        {'text': [[0, 1], [0, 1], [0, 1]]}
    """

    field: str
    size: int = 0
    minimum_count: int = 1
    longest: int = 6
    file: str = ""
    called: str = ""

    many = True

    def __post_init__(self) -> None:
        if self.longest < 1:
            raise BadInputError(f"Segments {self.field!r}: words have at least one character, got {self.longest}.")
        if self.file and self.minimum_count > 1:
            raise BadInputError(
                f"Segments {self.field!r}: the words of a file are counted already; drop minimum_count."
            )

    @property
    def words(self) -> Vocabulary:
        """The words; the id after the last is that of unknown ones."""
        return Vocabulary(self.field, size=self.size, minimum_count=self.minimum_count, file=self.file, many=True)

    @property
    def needs(self) -> tuple[Need, ...]:
        return self.words.needs

    @property
    def stored_shape(self) -> StoredShape:
        return (None,)

    def check(self, schema: Schema) -> None:
        check_field(f"Segments {self.name!r}", schema, self.field, ("string",), many=True)

    def cardinality(self, statistics: Statistics) -> int:
        """Returns the number of ids, that of unknown words included."""
        return self.words.word_count(statistics) + 1

    def graph(self, statistics: Statistics) -> Transform:
        """Returns int64 `[batch, longest]`, `PAD` behind the end of a row.

        Raises:
            BadInputError: if no word was learned.
        """
        import tensorflow as tf

        listed = self.words.word_count(statistics)
        if not listed:
            raise BadInputError(
                f"Segments {self.name!r}: field {self.field!r} has no word that is seen {self.minimum_count} times. "
                "Lower minimum_count, or give the etl more rows."
            )
        uri = self.file or statistics.vocabulary_uri(self.field)
        total = _counted(uri, listed) if self.file else statistics.of(self.field).values
        places = words_table(uri, listed, counted=True)
        counts = words_table(uri, listed, counted=True, to_counts=True)

        def transform(raw: "RawTensors") -> "tf.Tensor":
            texts = raw.text(self.field)
            ids = places.lookup(texts)
            mask = texts != ""
            unknown, which = tf.unique(tf.boolean_mask(texts, mask & (ids == NO_ID)))
            cut = _cut(unknown, places.lookup, counts.lookup, self.longest, listed, total)
            # Every token becomes a row of ids, one or several; then the rows of one text are put together.
            flat = tf.boolean_mask(ids, mask)
            listed_ones, others = tf.where(flat != NO_ID)[:, 0], tf.where(flat == NO_ID)[:, 0]
            known = tf.RaggedTensor.from_tensor(tf.gather(flat, listed_ones)[:, tf.newaxis])
            every = tf.concat([known, tf.gather(cut, which)], axis=0)
            tokens = tf.gather(every, tf.argsort(tf.concat([listed_ones, others], axis=0)))
            rows = tf.RaggedTensor.from_row_lengths(tokens, tf.reduce_sum(tf.cast(mask, tf.int64), axis=1))
            return rows.merge_dims(1, 2).to_tensor(tf.constant(PAD, tf.int64))

        transform.resources = [places, counts]  # type: ignore[attr-defined]
        return transform


def _counted(uri: str, words: int) -> int:
    """Returns the sum of the counts of the first words of a file.

    Raises:
        BadInputError: if a line has no count.
    """
    lines = storage.read_text(local_words(uri, words)).split("\n")[:words]
    counts = [line.rpartition("\t")[2] for line in lines]
    if odd := next((line for line, count in zip(lines, counts, strict=True) if not count.isdecimal()), None):
        raise BadInputError(f"The file {uri!r} has the line {odd!r}; expected a word, a tab and its count.")
    return sum(map(int, counts))


def _cut(
    tokens: "tf.Tensor",
    place: "Callable[[tf.Tensor], tf.Tensor]",
    count: "Callable[[tf.Tensor], tf.Tensor]",
    longest: int,
    unknown: int,
    total: int,
) -> "tf.RaggedTensor":
    """Returns ids of the words of each token, int64 `[tokens, words]`.

    Args:
        tokens: string `[tokens]`.
        place: Ids of words, `NO_ID` for others.
        count: How often words were seen, `NO_ID` for others.
        longest: Characters of the longest word.
        unknown: Id of what is no word.
        total: How many words were seen.
    """
    import tensorflow as tf

    characters = tf.strings.unicode_split(tokens, "UTF-8").to_tensor("")
    # One place more: a scan has at least one step, also where all words are listed and no token is left to cut.
    characters = tf.pad(characters, [[0, 0], [0, 1]], constant_values="")  # [tokens, length]
    length = tf.shape(characters)[1]
    after = tf.pad(characters, [[0, 0], [0, longest]], constant_values="")
    words = [characters]
    for size in range(1, longest):
        words.append(tf.strings.join([words[-1], after[:, size : size + length]]))
    begun = characters != ""
    # Behind the end of a token its last characters stay as they are: such a word would be taken twice.
    inside = tf.stack([after[:, size : size + length] != "" for size in range(longest)], axis=2)
    candidates = tf.stack(words, axis=2)  # [tokens, length, size - 1]
    seen = tf.cast(count(candidates), tf.float32)
    alone = tf.constant([True] + [False] * (longest - 1))
    seen = tf.where(seen > 0, seen, tf.where(alone, 0.5, 0.0))
    score = tf.where(inside, tf.math.log(seen / total), -float("inf"))  # log 0 is minus infinity too

    def best(state: "_Pair", step: "_Pair") -> "_Pair":
        behind, _ = state  # scores of the text from the next position on, and the ones after it: [tokens, longest]
        scores, mask = step
        total = scores + behind
        value = tf.where(mask, tf.reduce_max(total, axis=1), 0.0)
        return tf.concat([value[:, tf.newaxis], behind[:, :-1]], axis=1), tf.argmax(total, axis=1, output_type=tf.int32)

    none = tf.zeros_like(tokens, tf.int32)
    start = (tf.zeros([tf.size(tokens), longest]), none)
    by_position = (tf.transpose(score, [1, 0, 2]), tf.transpose(begun))
    _, sizes = tf.scan(best, by_position, start, reverse=True)  # [length, tokens]: how many characters more than one

    def walk(left: "tf.Tensor", size: "tf.Tensor") -> "tf.Tensor":
        return tf.where(left > 0, left - 1, size)  # 0 stands at the last character of a word

    left = tf.scan(walk, sizes, none)
    first = tf.transpose(tf.concat([none[tf.newaxis], left], axis=0)[:-1]) == 0
    ids = tf.gather(place(candidates), tf.transpose(sizes), batch_dims=2)
    unlisted = first & (ids == NO_ID)
    repeated = unlisted & tf.pad(unlisted, [[0, 0], [1, 0]])[:, :-1]
    ids = tf.where(ids == NO_ID, tf.constant(unknown, tf.int64), ids)
    return tf.ragged.boolean_mask(ids, first & begun & ~repeated)
