"""Synthetic digits: a stand-in for data sets of handwritten ones, with a known best score.

Each is a digit of a bitmap font, moved, turned, slanted and scaled at random, drawn with a soft edge under noise. All
of them can be read; what cannot be known is the label of a small share, which is drawn anew from all ten digits.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FONT = (
    "01110 10001 10011 10101 11001 10001 01110",
    "00100 01100 00100 00100 00100 00100 01110",
    "01110 10001 00001 00110 01000 10000 11111",
    "11111 00010 00100 00010 00001 10001 01110",
    "00010 00110 01010 10010 11111 00010 00010",
    "11111 10000 11110 00001 00001 10001 01110",
    "00110 01000 10000 11110 10001 10001 01110",
    "11111 00001 00010 00100 01000 01000 01000",
    "01110 10001 10001 01110 10001 10001 01110",
    "01110 10001 10001 01111 00001 00010 01100",
)
"""Digits of 5 × 7 cells, row by row."""

CHUNK = 500


class Drawn(NamedTuple):
    """Synthetic images.

    Args:
        images: uint8 `[n, size, size, channels]`.
        labels: uint8 `[n]`, what they are said to be.
        best: Metrics of a reader who knows every digit, and nothing about which labels were drawn anew.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    best: dict[str, float]


def draw(count: int, seed: int, *, size: int, misread: float, channels: int = 1) -> Drawn:
    """Draws digits.

    Args:
        count: How many.
        seed: Everything random follows from it.
        size: Height and width.
        misread: Share of labels drawn anew.
        channels: 1 for white on black, 3 for a colour on another.
    """
    generator = np.random.default_rng(seed)
    digits = generator.integers(0, len(FONT), count).astype(np.uint8)
    anew = generator.random(count) < misread
    labels = np.where(anew, generator.integers(0, len(FONT), count), digits).astype(np.uint8)
    images = np.concatenate(
        [_drawn(digits[start : start + CHUNK], size, channels, generator) for start in range(0, count, CHUNK)]
    )
    right = 1 - misread + misread / len(FONT)
    wrong = misread / len(FONT)
    surprise = np.where(labels == digits, -np.log(right), -np.log(max(wrong, 1e-12)))
    return Drawn(images, labels, {"accuracy": float(np.mean(labels == digits)), "log_loss": float(surprise.mean())})


def _drawn(digits: NDArray[np.uint8], size: int, channels: int, generator: np.random.Generator) -> NDArray[np.uint8]:
    cells = np.array([[[float(cell) for cell in row] for row in digit.split()] for digit in FONT])
    glyphs = np.pad(cells, ((0, 0), (2, 2), (2, 2)))[digits]
    count = len(digits)

    def around(middle: float, reach: float) -> NDArray[np.float64]:
        return generator.uniform(middle - reach, middle + reach, (count, 1, 1))

    # From each pixel back to its place on the glyph, whose middle is the picture's.
    down, across = np.meshgrid(np.arange(size) - (size - 1) / 2, np.arange(size) - (size - 1) / 2, indexing="ij")
    angle, slant, scale = around(0, 0.25), around(0, 0.25), around(9.5, 1.5) / size
    y = (np.cos(angle) * down - np.sin(angle) * across + around(0, size / 14)) * scale
    x = (np.sin(angle) * down + np.cos(angle) * across + around(0, size / 14)) * scale + slant * y
    ink = _sampled(glyphs, y + (glyphs.shape[1] - 1) / 2, x + (glyphs.shape[2] - 1) / 2)
    ink = np.clip(1.6 * ink - 0.2, 0, 1)[..., np.newaxis]
    if channels == 1:
        paper, colour = np.zeros((count, 1, 1, 1)), np.full((count, 1, 1, 1), 0.95)
    else:
        paper = generator.uniform(0, 0.45, (count, 1, 1, channels))
        colour = generator.uniform(0.55, 1, (count, 1, 1, channels))
    values = paper + ink * (colour - paper) + generator.normal(0, 0.06, (count, size, size, channels))
    return np.clip(np.round(255 * values), 0, 255).astype(np.uint8)


def _sampled(glyphs: NDArray[np.float64], y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Returns values between cells, from the four around; 0 outside."""
    height, width = glyphs.shape[1:]
    y, x = np.clip(y, 0, height - 1.001), np.clip(x, 0, width - 1.001)
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    which = np.arange(len(glyphs))[:, np.newaxis, np.newaxis]
    low, right = y - top, x - left
    upper = glyphs[which, top, left] * (1 - right) + glyphs[which, top, left + 1] * right
    lower = glyphs[which, top + 1, left] * (1 - right) + glyphs[which, top + 1, left + 1] * right
    return upper * (1 - low) + lower * low
