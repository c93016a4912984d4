"""Arrow RecordBatches <-> serialized `tf.train.SequenceExample`.

Scalars and arrays become features of the context, arrays of arrays become feature lists (one feature per inner array).
Types of the elements: see `emberline.features.tfrecord.codec.feature_types`.
"""

from collections.abc import Sequence

import pyarrow as pa

from emberline.features.tfrecord.codec.example import ExampleDecoder, ExampleEncoder
from emberline.features.tfrecord.codec.framing import Records


class SequenceExampleEncoder(ExampleEncoder):
    """Encodes batches of one schema as `tf.train.SequenceExample`; otherwise like `ExampleEncoder`."""

    _max_depth = 2


class SequenceExampleDecoder(ExampleDecoder):
    """Decodes `tf.train.SequenceExample` records; otherwise like `ExampleDecoder`.

    Columns of lists of lists are read from the feature lists, all others from the context.
    """

    _max_depth = 2
    _message = "tf.train.SequenceExample"


def encode_sequence_examples(batch: pa.RecordBatch, *, framed: bool = True) -> memoryview:
    """Encodes every row as a `tf.train.SequenceExample`; with `framed`, ready to be appended to a TFRecord file.

    Raises:
        UnsupportedColumnError: a type or value that the format cannot hold, by column.
    """
    return SequenceExampleEncoder(batch.schema).encode(batch, framed=framed)


def decode_sequence_examples(records: Records | pa.Array | Sequence[bytes], schema: pa.Schema) -> pa.RecordBatch:
    """Decodes serialized `tf.train.SequenceExample` records into one batch of `schema`."""
    return SequenceExampleDecoder(schema).decode(records)
