"""The buffers that the decoding kernel fills, one object per column, and how they become Arrow arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from emberline.features.tfrecord.codec.feature_types import (
    BYTES,
    INT64,
    FeatureType,
    UnsupportedColumnError,
    from_wire,
)
from emberline.features.tfrecord.codec.framing import Int64Array, address

_DTYPES = (np.int64, np.float32, np.uint8)


class OutputColumn:
    """Output buffers of one decoded column; `capacity` is (values, inner offsets, inner lists)."""

    def __init__(self, item: pa.Field, found: FeatureType, rows: int, capacity: Sequence[int]) -> None:
        self.item = item
        self.found = found
        self.rows = rows
        self.validity = np.zeros(rows, np.uint8)
        scalar_number = found.depth == 0 and found.kind != BYTES
        self.values: npt.NDArray[Any] = np.empty(rows + 1 if scalar_number else capacity[0], _DTYPES[found.kind])
        self.offsets = np.zeros(1 if scalar_number else rows + 1, np.int32)
        self.inner = np.zeros(capacity[1] + 1 if found.depth and found.kind == BYTES else 1, np.int32)

    def grow(self, which: int, need: int) -> None:
        """Makes room for `need` values (which = 0) or inner offsets (which = 1), keeping what is there."""
        size = max(need + need // 2, 1024)
        if which == 0:
            bigger = np.empty(size, self.values.dtype)
            bigger[: self.values.size] = self.values
            self.values = bigger
        else:
            offsets = np.zeros(size + 1, np.int32)
            offsets[: self.inner.size] = self.inner
            self.inner = offsets

    def describe(self, target: Int64Array) -> None:
        """Writes the addresses into the kernel's description."""
        target[2:8] = (
            address(self.values),
            self.values.size,
            address(self.validity),
            address(self.offsets),
            address(self.inner),
            self.inner.size - 1,
        )

    def sizes(self) -> tuple[int, int, int]:
        """Returns values, inner offsets and inner lists in use."""
        if self.found.depth == 0:
            return (int(self.offsets[-1]) if self.found.kind == BYTES else self.rows), 0, 0
        elements = int(self.offsets[self.rows])
        return (int(self.inner[elements]) if self.found.kind == BYTES else elements), elements, 0

    def to_arrow(self) -> pa.Array:
        """Returns the column as the schema wants it."""
        used, elements, _ = self.sizes()
        kind, name, target = self.found.kind, self.item.name, self.item.type
        data = pa.py_buffer(self.values[:used])
        wire = (pa.int64(), pa.float32(), pa.binary())[kind]
        if self.found.depth == 0:
            nulls = self.rows - int(np.count_nonzero(self.validity))
            bits = pa.py_buffer(np.packbits(self.validity, bitorder="little")) if nulls else None
            parts = [bits, pa.py_buffer(self.offsets), data] if kind == BYTES else [bits, data]
            return from_wire(name, pa.Array.from_buffers(wire, self.rows, parts, nulls), target)
        parts = [None, pa.py_buffer(self.inner[: elements + 1]), data] if kind == BYTES else [None, data]
        found = self.padded(pa.Array.from_buffers(wire, elements, parts, 0), target)
        return self.lists_of(from_wire(name, found, target.value_type), target)

    def lists_of(self, values: pa.Array, target: pa.DataType) -> pa.Array:
        """Returns this column's lists around their elements."""
        nulls = self.rows - int(np.count_nonzero(self.validity))
        bits = pa.py_buffer(np.packbits(self.validity, bitorder="little")) if nulls else None
        if pat.is_fixed_size_list(target):
            return pa.Array.from_buffers(target, self.rows, [bits], nulls, children=[values])
        if pat.is_list_view(target) or pat.is_large_list_view(target):
            view = pa.ListViewArray if pat.is_list_view(target) else pa.LargeListViewArray
            width = np.int32 if pat.is_list_view(target) else np.int64
            starts, sizes = self.offsets[:-1].astype(width), np.diff(self.offsets).astype(width)
            return view.from_arrays(starts, sizes, values, type=target, mask=pa.array(self.validity == 0))
        plain = pa.list_(pa.field("item", values.type, nullable=True))
        array = pa.Array.from_buffers(plain, self.rows, [bits, pa.py_buffer(self.offsets)], nulls, children=[values])
        return array if array.type == target else array.cast(target)

    def padded(self, values: pa.Array, target: pa.DataType) -> pa.Array:
        """Checks the sizes of fixed-size lists; null rows take `size` places in Arrow and none in the file."""
        if not pat.is_fixed_size_list(target):
            return values
        size, counts, valid = target.list_size, np.diff(self.offsets), self.validity == 1
        wrong = np.flatnonzero((counts != size) & valid)
        if wrong.size:
            raise UnsupportedColumnError(
                f"Column {self.item.name!r}: row {int(wrong[0])} of this batch has {counts[wrong[0]]} elements, "
                f"the schema says {size} ({target}); read it as list<{target.value_type}>."
            )
        if valid.all() or not size:
            return values
        places = np.where(valid, self.offsets[:-1], 0)[:, None] + np.where(valid[:, None], np.arange(size), 0)
        return values.take(pa.array(places.ravel(), mask=np.repeat(~valid, size)))


class NestedOutputColumn(OutputColumn):
    """Output buffers of a list of lists: the inner lists are the rows of a `OutputColumn`."""

    def __init__(self, item: pa.Field, found: FeatureType, rows: int, capacity: Sequence[int]) -> None:
        inner = pa.field(item.name, item.type.value_type)
        super().__init__(inner, FeatureType(found.kind, 1), capacity[2], capacity)
        self.outer_item = item
        self.outer_rows = rows
        self.outer_offsets = np.zeros(rows + 1, np.int32)
        self.outer_validity = np.zeros(rows, np.uint8)

    def grow(self, which: int, need: int) -> None:
        """Makes room for `need` values (which = 0), inner offsets (which = 1) or inner lists (which = 2)."""
        if which < 2:
            super().grow(which, need)
            return
        rows = max(need + need // 2, 1024)
        validity, offsets = np.zeros(rows, np.uint8), np.zeros(rows + 1, np.int32)
        validity[: self.rows], offsets[: self.rows + 1] = self.validity, self.offsets
        self.validity = validity
        self.offsets = offsets
        self.rows = rows

    def describe(self, target: Int64Array) -> None:
        """Describes the addresses of the outer lists too."""
        super().describe(target)
        target[13:16] = address(self.outer_offsets), address(self.outer_validity), self.rows

    def sizes(self) -> tuple[int, int, int]:
        """Returns values, inner offsets and inner lists in use."""
        self._finish()
        return *super().sizes()[:2], self.rows

    def _finish(self) -> None:
        """Forgets the room that was not used."""
        self.rows = int(self.outer_offsets[-1])
        self.validity = self.validity[: self.rows]
        self.offsets = self.offsets[: self.rows + 1]

    def to_arrow(self) -> pa.Array:
        """Returns the outer lists around the inner ones; an inner feature without a kind is an empty list."""
        self._finish()
        self.validity = np.ones(self.rows, np.uint8)
        inner, target = super().to_arrow(), self.outer_item.type
        outer = OutputColumn(self.outer_item, FeatureType(INT64, 1), self.outer_rows, (0, 0, 0))
        outer.offsets, outer.validity = self.outer_offsets, self.outer_validity
        return outer.lists_of(outer.padded(inner, target), target)
