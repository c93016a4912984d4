"""Pictures of a batch side by side in one file."""

import math

import numpy as np
import numpy.typing as npt
import tensorflow as tf

GAP = 2


def grid(pictures: npt.NDArray[np.float32], gap: int = GAP) -> bytes:
    """Returns a PNG of all pictures, row by row, as square as their number allows.

    Args:
        pictures: `[number, height, width, channels]` of 0 to 1, with 1 or 3 channels.
        gap: Grey pixels between two of them.
    """
    number, height, width, channels = pictures.shape
    across = math.ceil(math.sqrt(number))
    down = math.ceil(number / across)
    whole = np.full((down * (height + gap) - gap, across * (width + gap) - gap, channels), 128, np.uint8)
    for place, picture in enumerate(np.rint(pictures.clip(0, 1) * 255).astype(np.uint8)):
        top, left = place // across * (height + gap), place % across * (width + gap)
        whole[top : top + height, left : left + width] = picture
    encoded: bytes = tf.io.encode_png(whole).numpy()
    return encoded
