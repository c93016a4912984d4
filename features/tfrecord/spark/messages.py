"""Protobuf messages taken apart in Python, for the few records of which the driver or a message wants to know more."""

from collections.abc import Iterator

_VARINT, _FIXED64, LENGTH, _FIXED32 = 0, 1, 2, 5


class MalformedError(ValueError):
    """Bytes that are no message."""


def entries(message: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Yields the key and value of each entry of a protobuf map."""
    for _, entry in fields(message):
        name, value = "", memoryview(b"")
        for number, payload in fields(entry):
            if number == 1:
                name = bytes(payload).decode("utf-8")
            else:
                value = payload
        yield name, value


def fields(message: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields the length-delimited fields of a message."""
    return ((number, value) for number, wire, value in wire_fields(message) if wire == LENGTH)


def wire_fields(message: bytes | memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yields the number, wire type and bytes of each field of a message.

    Raises:
        MalformedError: if it is none.
    """
    view, position = memoryview(message), 0
    while position < len(view):
        tag, position = _varint(view, position)
        wire = tag & 7
        if wire == LENGTH:
            size, position = _varint(view, position)
        elif wire == _VARINT:
            size = _varint(view, position)[1] - position
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise MalformedError(f"wire type {wire} at byte {position}")
        if position + size > len(view):
            raise MalformedError(f"a field of {size} bytes ends behind the record")
        yield tag >> 3, wire, view[position : position + size]
        position += size


def _varint(view: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
        if shift > 63:
            raise MalformedError(f"a varint of more than 10 bytes ends at byte {position}")
