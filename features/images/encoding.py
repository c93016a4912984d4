"""Pictures of one size to files of their own: what shards hold where pixels would take too much room."""

import pyarrow as pa
import tensorflow as tf

from emberline.features.errors import BadInputError

QUALITY = 95
"""Of JPEGs: what Pillow and TensorFlow take for the highest that is of use."""


def files(pictures: tf.Tensor, form: str) -> pa.Array:
    """Returns each picture as a file.

    Args:
        pictures: uint8 `[rows, height, width, channels]`.
        form: `png` or `jpeg`.

    Returns:
        binary `[rows]`, which `emberline.features.images.decoding.pixels` reads.

    Raises:
        BadInputError: for another form.
    """
    if form == "png":
        encoded = [tf.io.encode_png(picture) for picture in pictures]
    elif form == "jpeg":
        encoded = [tf.io.encode_jpeg(picture, quality=QUALITY) for picture in pictures]
    else:
        raise BadInputError(f"A picture becomes a file of the form png or jpeg, got {form!r}.")
    return pa.array([file.numpy() for file in encoded], pa.binary())
