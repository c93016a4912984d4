"""TensorFlow Serving's warm-up file: requests that a server answers for itself before it answers anybody else.

A TFRecord file of `tensorflow.serving.PredictionLog`. Its few messages are written here by hand, so that the package
of Serving's interfaces is not needed: a field is its number and wire type, its length, and its bytes
(protocolbuffers.dev, "Encoding").
"""

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from emberline.features.names import safe_names
from emberline.features.schema import Schema
from emberline.features.tensors import missing_mark
from emberline.features.transform import TENSOR_TYPES

WARM_UP = "assets.extra/tf_serving_warmup_requests"
_PREDICT_LOG, _REQUEST, _MODEL_SPEC, _INPUTS, _NAME, _SIGNATURE, _KEY, _VALUE = 6, 1, 1, 2, 1, 3, 1, 2


def write_warm_up(folder: Path, name: str, schema: Schema) -> None:
    """Adds the file to a SavedModel: one row without any value, as columns and as an example.

    Args:
        folder: The SavedModel.
        name: Of the model, as the server is asked for it.
        schema: Its raw fields.
    """
    names = safe_names(field.name for field in schema.fields)
    columns = {
        names[field.name]: tf.fill([1, *(size or 1 for size in field.tensor_shape)], _missing(field.kind))
        for field in schema.fields
    }
    path = folder / WARM_UP
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(request_log(name, "serving_default", columns))
        writer.write(request_log(name, "serve_examples", {"examples": tf.constant([b""])}))


def _missing(kind: str) -> tf.Tensor:
    return tf.constant(missing_mark(kind), TENSOR_TYPES[kind])  # type: ignore[arg-type]


def request_log(name: str, signature: str, inputs: Mapping[str, tf.Tensor]) -> bytes:
    """Returns a serialized `PredictionLog` of a `PredictRequest`."""
    spec = _field(_NAME, name.encode()) + _field(_SIGNATURE, signature.encode())
    request = _field(_MODEL_SPEC, spec)
    for key, tensor in inputs.items():
        proto = tf.make_tensor_proto(tensor).SerializeToString()
        request += _field(_INPUTS, _field(_KEY, key.encode()) + _field(_VALUE, proto))
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes, wire type 2."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)
