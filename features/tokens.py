"""How one text becomes many tokens: declared with its field, run by TensorFlow wherever the field is read.

The same few operations count the tokens in Spark, transform rows in the ETL and stand in front of the exported model:
a sentence has the same tokens everywhere. Imports nothing heavy.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    import pyarrow as pa
    import tensorflow as tf


@dataclass(frozen=True)
class Tokens:
    """Lower, replace, split, join: in this order.

    Args:
        by: Split at blanks, tabs and line ends, or into characters, of which these are none.
        lower: Turn letters into small ones first, of any alphabet.
        replace: Pairs of a regular expression (RE2) and what takes every match's place; `\\1` is its first group.
            `(("[^\\w]+", " "),)` keeps words only, `(("([.,!?])", " \\1 "),)` makes marks tokens of their own.
        ngrams: Also every run of up to so many tokens, joined by a blank; the tokens come first, then the pairs, and
            so on.
        at_most: Only the first so many tokens of a text; 0 for all.

    Raises:
        BadInputError: for numbers below their least.

    Example:
        >>> from emberline.features.columns import HashBucket
        >>> from emberline.features.preview import preview
        >>> from emberline.features.schema import Field
        >>> from emberline.features.tokens import Tokens
        >>> review = Field("review", "string", tokens=Tokens(lower=True, replace=(("[.,]", " "),)))
        >>> found = preview([HashBucket("review", 100, many=True)], {"review": ["Good, good."]}, [review])
        >>> len(found["review"][0]), len(set(found["review"][0]))  # two tokens, one word
        (2, 1)
    """

    by: Literal["space", "character"] = "space"
    lower: bool = False
    replace: tuple[tuple[str, str], ...] = ()
    ngrams: int = 1
    at_most: int = 0

    def __post_init__(self) -> None:
        if self.ngrams < 1 or self.at_most < 0:
            raise BadInputError(
                f"Tokens: expected ngrams of at least 1 and at_most of at least 0 (all), got ngrams={self.ngrams}, "
                f"at_most={self.at_most}."
            )
        if any(len(pair) != 2 for pair in self.replace):
            raise BadInputError(f"Tokens.replace: expected pairs of a pattern and a text, got {self.replace!r}.")

    def split(self, texts: "tf.Tensor") -> "tf.RaggedTensor":
        """Returns the tokens of each text: string `[batch, tokens]`.

        Args:
            texts: string `[batch]`.
        """
        import tensorflow as tf

        if self.lower:
            texts = tf.strings.lower(texts, encoding="utf-8")
        for pattern, replacement in self.replace:
            texts = tf.strings.regex_replace(texts, pattern, replacement)
        if self.by == "character":
            tokens = tf.strings.unicode_split(tf.strings.regex_replace(texts, r"\s+", ""), "UTF-8")
        else:
            tokens = tf.strings.split(texts)
        if self.at_most:
            tokens = tokens[:, : self.at_most]
        return tf.strings.ngrams(tokens, tuple(range(1, self.ngrams + 1))) if self.ngrams > 1 else tokens

    def split_column(self, column: "pa.ChunkedArray") -> "pa.ChunkedArray":
        """Returns the tokens of a column of texts as a column of lists; a missing text has none.

        Args:
            column: Texts, plain or dictionary-encoded.
        """
        import pyarrow as pa
        import pyarrow.compute as pc
        import tensorflow as tf

        _keep_tensorflow()
        lists = []
        for chunk in column.chunks:
            texts = pc.fill_null(chunk.cast(pa.large_string()), "")
            found = self.split(tf.constant(texts.to_numpy(zero_copy_only=False), tf.string, [len(texts)]))
            # Few words make up most of a text: only the different ones cross from TensorFlow to Arrow.
            words, places = tf.unique(found.flat_values)
            flat = pa.array(words.numpy(), pa.binary()).cast(pa.string()).take(pa.array(places.numpy()))
            offsets = pa.array(found.row_splits.numpy()).cast(pa.int32())
            lists.append(pa.ListArray.from_arrays(offsets, flat))
        return pa.chunked_array(lists, pa.list_(pa.string()))


@lru_cache(maxsize=1)
def _keep_tensorflow() -> None:
    """Sets TensorFlow up, once per process."""
    from emberline.features.light_tensorflow import import_tensorflow
    from emberline.features.python_worker import keep_out_of_collections, keep_to_own_cores

    import_tensorflow()
    keep_to_own_cores()
    keep_out_of_collections()
