"""Statistics of images: how large they came, and mean and deviation of each channel."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod, sqrt

import numpy as np
import pyarrow as pa

from emberline.features.analysis.partials import PARTIAL, gather, packed, partial, unpacked
from emberline.features.analysis.sources import Chunk, Rows, run_pass
from emberline.features.schema import Field
from emberline.features.statistics import FieldStatistics, ImageStatistics
from emberline.features.validation.images import SIZE

_SLICE_BYTES = 1 << 20
_FACTS = 8
"""Numbers before those of the channels: images, those whose size is known, and of height and width least, sum, most."""


def image_statistics(rows: Rows, fields: Sequence[Field], total: int) -> dict[str, FieldStatistics]:
    """Returns what is known about images, by field, learned in one pass over their pixels.

    Args:
        rows: Checked rows: images as bare pixels.
        fields: Those with a shape.
        total: How many rows there are.
    """
    if not fields:
        return {}
    columns = [name for field in fields for name in (field.name, SIZE.format(field.name)) if name in rows.columns]
    answers = gather(run_pass(rows, columns, ImagePass(tuple(fields), tuple(columns)), PARTIAL), merge_images)
    return {field.name: _facts(_numbers(answers.get(index)), field, total) for index, field in enumerate(fields)}


@dataclass(frozen=True)
class ImagePass:
    """Runs in executors.

    Args:
        fields: The images.
        columns: Those of the rows: sizes may not be among them.
    """

    fields: tuple[Field, ...]
    columns: tuple[str, ...]

    def __call__(self, chunks: Iterator[Chunk]) -> Iterator[pa.RecordBatch]:
        found: list[list[int]] = [[] for _ in self.fields]
        for chunk in chunks:
            for index, field in enumerate(self.fields):
                numbers = _pixels_of(chunk.column(field.name), field)
                name = SIZE.format(field.name)
                sizes = _sizes_of(chunk.column(name)) if name in self.columns else [0] * (_FACTS - 1)
                found[index] = _added(found[index], [numbers[0], *sizes, *numbers[1:]])
        for index, numbers in enumerate(found):
            if numbers:
                yield partial(index, packed({"number": pa.array(numbers, pa.int64())}))


def merge_images(_: int, partials: Iterator[pa.RecordBatch]) -> bytes:
    """Merges what `ImagePass` yields about one field, also in executors; returns it packed."""
    total: list[int] = []
    for batch in partials:
        total = _added(total, batch.column(0).to_pylist())
    return packed({"number": pa.array(total, pa.int64())})


def _numbers(answer: bytes | None) -> list[int]:
    return unpacked(answer).column(0).to_pylist() if answer is not None else []


def _pixels_of(column: pa.ChunkedArray, field: Field) -> list[int]:
    """Returns images, then for each channel the sum of its values, then of their squares."""
    size, channels = prod(field.shape), field.shape[2]
    sums = np.zeros((2, channels), np.int64)
    images = 0
    for array in column.chunks:
        present = array.drop_null()
        images += len(present)
        if not len(present):
            continue
        offsets = np.frombuffer(present.buffers()[1], np.int32)[present.offset : present.offset + len(present) + 1]
        values = np.frombuffer(present.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(len(present), size)
        step = max(1, _SLICE_BYTES // size)
        for start in range(0, len(values), step):
            some = values[start : start + step]
            # Over images first: neighbours in memory are added as vectors.
            for row, numbers in enumerate((some, np.square(some, dtype=np.uint16))):
                sums[row] += numbers.sum(axis=0, dtype=np.uint32).reshape(-1, channels).sum(axis=0, dtype=np.int64)
    return [images, *sums.ravel().tolist()]


def _sizes_of(column: pa.ChunkedArray) -> list[int]:
    """Returns how many sizes are known, and of height and width the least, the sum and the most."""
    known = column.drop_null()
    if not len(known):
        return [0] * (_FACTS - 1)
    sizes = known.combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.int64).reshape(-1, 2)
    each = [number for side in sizes.T for number in (side.min(), side.sum(), side.max())]
    return [len(sizes), *(int(number) for number in each)]


def _added(one: list[int], other: list[int]) -> list[int]:
    if not one or not other:
        return one or other
    total = [first + second for first, second in zip(one, other, strict=True)]
    for least, most in ((2, 4), (5, 7)):
        if one[1] and other[1]:
            total[least], total[most] = min(one[least], other[least]), max(one[most], other[most])
    return total


def _facts(numbers: list[int], field: Field, total: int) -> FieldStatistics:
    if not numbers or not numbers[0]:
        return FieldStatistics(0, total)
    images, known, *sides = numbers[:_FACTS]
    sums, squares = np.array(numbers[_FACTS:], float).reshape(2, -1)
    values = images * field.shape[0] * field.shape[1]
    means = sums / values
    spreads = [sqrt(max(0.0, square / values - mean**2)) for square, mean in zip(squares, means, strict=True)]
    heights, widths = (
        (float(least), added / known, float(most)) if known else None for least, added, most in (sides[:3], sides[3:])
    )
    image = ImageStatistics(
        heights, widths, tuple(_figure(mean) for mean in means), tuple(_figure(spread) for spread in spreads)
    )
    return FieldStatistics(images, total - images, image=image)


def _figure(value: float) -> float:
    return round(float(value) / 255, 6)
