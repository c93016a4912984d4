"""The machine-level half of the TFRecord engine: numba source of every kernel, in one file.

Entry points are the functions listed in `ENTRY_POINTS`. Their arguments and results are int64 only: numbers and
addresses. They never allocate, never raise and never touch Python objects, so their object code needs nothing of
numba at run time; `emberline.features.tfrecord.codec.compiled` compiles them once, stores the object code and loads it
without importing numba. **Only `compiled` may import this module**, and it does so only when the cache is cold.

All kernels live in one file because a cached kernel must be thrown away when any function it inlines changes:
the cache key is the hash of this file.

Wire formats: https://protobuf.dev/programming-guides/encoding/ and
https://www.tensorflow.org/tutorials/load_data/tfrecord (frames: length u64, masked CRC-32C of the length u32, data,
masked CRC-32C of the data u32, all little-endian).
"""

import platform

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

# entry point -> number of int64 arguments
ENTRY_POINTS = {
    "crc32c": 3,
    "scan_frames": 7,
    "frame_records": 5,
    "encode_rows": 9,
    "decode_rows": 13,
}

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
V16 = ir.VectorType(I8, 16)
_POLYNOMIAL = 0x82F63B78  # CRC-32C (Castagnoli), bit-reflected

# decode_rows results
DONE, MALFORMED, WRONG_KIND, TOO_MANY, GROW, TOO_LARGE, TWICE, WRONG_DEPTH = range(8)


def _load(kind, signed=False):
    """An intrinsic `f(address) -> int64` that loads an unaligned little-endian integer."""

    @intrinsic
    def load(typingctx, address):
        def codegen(context, builder, signature, args):
            pointer = builder.inttoptr(args[0], kind.as_pointer())
            value = builder.load(pointer, align=1)
            if kind.width == 64:
                return value
            return builder.sext(value, I64) if signed else builder.zext(value, I64)

        return types.int64(types.int64), codegen

    return load


def _store(kind):
    """An intrinsic `f(address, value)` that stores an unaligned little-endian integer."""

    @intrinsic
    def store(typingctx, address, value):
        def codegen(context, builder, signature, args):
            pointer = builder.inttoptr(args[0], kind.as_pointer())
            value = args[1] if kind.width == 64 else builder.trunc(args[1], kind)
            builder.store(value, pointer, align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return store


def _copy(kind):
    """An intrinsic `f(target, source)` that copies exactly the bytes of `kind`."""

    @intrinsic
    def copy(typingctx, target, source):
        def codegen(context, builder, signature, args):
            value = builder.load(builder.inttoptr(args[1], kind.as_pointer()), align=1)
            builder.store(value, builder.inttoptr(args[0], kind.as_pointer()), align=1)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), codegen

    return copy


u8, u32, i32, i64 = _load(I8), _load(I32), _load(I32, signed=True), _load(I64)
set8, set32, set64 = _store(I8), _store(I32), _store(I64)
copy4, copy8, copy16 = _copy(I32), _copy(I64), _copy(V16)


@intrinsic
def memcpy(typingctx, target, source, size):
    """Copies `size` bytes; the ranges must not overlap."""

    def codegen(context, builder, signature, args):
        pointer = I8.as_pointer()
        target_pointer, source_pointer = (builder.inttoptr(arg, pointer) for arg in args[:2])
        cgutils.raw_memcpy(builder, target_pointer, source_pointer, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def memmove(typingctx, target, source, size):
    """Copies `size` bytes; the ranges may overlap."""

    def codegen(context, builder, signature, args):
        pointer = I8.as_pointer()
        target_pointer, source_pointer = (builder.inttoptr(arg, pointer) for arg in args[:2])
        cgutils.raw_memmove(builder, target_pointer, source_pointer, args[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def logical_shift(typingctx, value, bits):
    """Shifts to the right without a sign (numba's `>>` on int64 keeps the sign)."""

    def codegen(context, builder, signature, args):
        return builder.lshr(*args)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def leading_zeros(typingctx, value):
    """Returns the number of zero bits above the highest set bit; `value` must not be 0."""

    def codegen(context, builder, signature, args):
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


# ---- CRC-32C -------------------------------------------------------------------------------------------------------


def _crc_table():
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


def _zeros_operator(length):
    """Four 256-entry tables that advance a CRC register over `length` zero bytes (the register is linear in GF(2))."""
    table = _crc_table()
    columns = np.left_shift(np.uint32(1), np.arange(32, dtype=np.uint32))
    for _ in range(length):
        columns = table[columns & 0xFF] ^ (columns >> 8)
    result = np.zeros((4, 256), np.uint32)
    for byte in range(4):
        for bit in range(8):
            has_bit = (np.arange(256) >> bit) & 1 == 1
            result[byte, has_bit] ^= columns[8 * byte + bit]
    return result.ravel().astype(np.int64)


def _slices():
    """Slicing-by-8 tables for processors without a CRC instruction."""
    tables = [_crc_table()]
    for _ in range(7):
        tables.append(tables[0][tables[-1] & 0xFF] ^ (tables[-1] >> 8))
    return np.concatenate(tables).astype(np.int64)


def _crc_instruction():
    """The LLVM intrinsic that consumes eight bytes, or None where the host lacks it."""
    features = llvm.get_host_cpu_features()
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64") and features.get("sse4.2"):
        return "llvm.x86.sse42.crc32.64.64", I64
    if machine in ("aarch64", "arm64") and features.get("crc"):
        return "llvm.aarch64.crc32cx", I32
    return None


_INSTRUCTION = _crc_instruction()
_LONG, _SHORT = 2048, 256  # bytes per lane of the three interleaved CRC lanes
_ADVANCE_LONG, _ADVANCE_SHORT, _BYTE_TABLE = _zeros_operator(_LONG), _zeros_operator(_SHORT), _slices()

if _INSTRUCTION is not None:

    @intrinsic
    def crc_word(typingctx, crc, word):
        """Advances the CRC register by the eight bytes of `word`."""
        name, register = _INSTRUCTION

        def codegen(context, builder, signature, args):
            kind = ir.FunctionType(register, [register, I64])
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            crc = args[0] if register is I64 else builder.trunc(args[0], register)
            result = builder.call(function, [crc, args[1]])
            return result if register is I64 else builder.zext(result, I64)

        return types.int64(types.int64, types.int64), codegen

else:

    @njit
    def crc_word(crc, word):
        """Advances the CRC register by the eight bytes of `word` (slicing-by-8)."""
        word ^= crc
        result = _BYTE_TABLE[1792 + (word & 255)]
        for byte in range(1, 8):
            result ^= _BYTE_TABLE[256 * (7 - byte) + (logical_shift(word, 8 * byte) & 255)]
        return result


@njit
def _advance(table, crc):
    """The register after as many zero bytes as `table` was made for."""
    return (
        table[crc & 255]
        ^ table[256 + ((crc >> 8) & 255)]
        ^ table[512 + ((crc >> 16) & 255)]
        ^ table[768 + ((crc >> 24) & 255)]
    )


@njit
def crc_update(crc, address, size):
    """Returns the register after `size` bytes at `address`; three lanes hide the latency of the CRC instruction."""
    end = address + size
    while end - address >= 3 * _LONG:
        second = np.int64(0)
        third = np.int64(0)
        for _ in range(_LONG // 8):
            crc = crc_word(crc, i64(address))
            second = crc_word(second, i64(address + _LONG))
            third = crc_word(third, i64(address + 2 * _LONG))
            address += 8
        crc = _advance(_ADVANCE_LONG, _advance(_ADVANCE_LONG, crc) ^ second) ^ third
        address += 2 * _LONG
    while end - address >= 3 * _SHORT:
        second = np.int64(0)
        third = np.int64(0)
        for _ in range(_SHORT // 8):
            crc = crc_word(crc, i64(address))
            second = crc_word(second, i64(address + _SHORT))
            third = crc_word(third, i64(address + 2 * _SHORT))
            address += 8
        crc = _advance(_ADVANCE_SHORT, _advance(_ADVANCE_SHORT, crc) ^ second) ^ third
        address += 2 * _SHORT
    while end - address >= 8:
        crc = crc_word(crc, i64(address))
        address += 8
    while address < end:
        crc = _BYTE_TABLE[(crc ^ u8(address)) & 255] ^ (crc >> 8)
        address += 1
    return crc


@njit
def masked_crc(address, size):
    """Returns TFRecord's masked CRC-32C: rotated right by 15 bits plus a constant."""
    crc = crc_update(np.int64(0xFFFFFFFF), address, size) ^ np.int64(0xFFFFFFFF)
    return (((crc >> 15) | (crc << 17)) + np.int64(0xA282EAD8)) & np.int64(0xFFFFFFFF)


@njit
def crc32c(address, size, crc):
    """Returns the CRC-32C of a buffer, continued from `crc` (0 to start)."""
    return crc_update(crc ^ np.int64(0xFFFFFFFF), address, size) ^ np.int64(0xFFFFFFFF)


# ---- frames --------------------------------------------------------------------------------------------------------


@njit
def scan_frames(buffer, size, check, starts, lengths, limit, info):
    """Finds up to `limit` whole frames in a buffer; returns their number.

    Writes data start (relative to `buffer`) and length of each. info[0] = bytes consumed; info[1] = 0, or 1 when the
    checksum of the length is wrong, 2 when that of the data is; info[2] = bytes that the next frame needs, 0 unknown.
    """
    position = np.int64(0)
    count = np.int64(0)
    status = np.int64(0)
    need = np.int64(0)
    while count < limit and size - position >= 12:
        frame = buffer + position
        if masked_crc(frame, 8) != u32(frame + 8):
            status = 1
            break
        length = i64(frame)
        if length < 0 or length > (np.int64(1) << 62):
            status = 1
            break
        if size - position < length + 16:
            need = length + 16
            break
        if check != 0 and masked_crc(frame + 12, length) != u32(frame + 12 + length):
            status = 2
            break
        set64(starts + 8 * count, position + 12)
        set64(lengths + 8 * count, length)
        count += 1
        position += length + 16
    set64(info, position)
    set64(info + 8, status)
    set64(info + 16, need)
    return count


@njit
def _close_frame(start, length):
    """Fill in the header and the footer around `length` data bytes at `start + 12`; returns the end of the frame."""
    set64(start, length)
    set32(start + 8, masked_crc(start, 8))
    set32(start + 12 + length, masked_crc(start + 12, length))
    return start + 16 + length


@njit
def frame_records(data, starts, lengths, count, out):
    """Writes `count` records, given by start and length, as frames; returns the number of bytes written."""
    position = out
    for record in range(count):
        length = i64(lengths + 8 * record)
        memcpy(position + 12, data + i64(starts + 8 * record), length)
        position = _close_frame(position, length)
    return position - out


# ---- protobuf primitives -------------------------------------------------------------------------------------------


@njit
def varint_size(value):
    """Returns how many bytes `value`, taken as uint64, needs as a varint."""
    return ((64 - leading_zeros(value | 1)) * 9 + 64) >> 6


@njit
def put_varint(position, value):
    """Writes a varint; returns the position behind it."""
    while logical_shift(value, 7) != 0:
        set8(position, (value & 127) | 128)
        value = logical_shift(value, 7)
        position += 1
    set8(position, value)
    return position + 1


@njit
def _get_varint_slow(position, end):
    value = np.int64(0)
    shift = np.int64(0)
    while position < end and shift < 70:
        byte = u8(position)
        position += 1
        if shift < 64:
            value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7
    return np.int64(0), np.int64(-1)


@njit
def get_varint(position, end):
    """Reads a varint; returns (value, position behind it), the position being -1 when it is cut or too long."""
    if position < end:
        byte = u8(position)
        if byte < 128:
            return byte, position + 1
    return _get_varint_slow(position, end)


@njit
def get_span(position, end):
    """Reads a length and checks that it fits; returns (start, end) of the bytes, start being -1 when it does not."""
    length, position = get_varint(position, end)
    if position < 0 or length < 0 or length > end - position:
        return np.int64(-1), np.int64(-1)
    return position, position + length


@njit
def skip_field(tag, position, end):
    """Skips the value of a field that is not read; returns the position behind it or -1."""
    depth = np.int64(0)
    while True:
        wire = tag & 7
        if (tag >> 3) == 0:
            return np.int64(-1)
        if wire == 0:
            _, position = get_varint(position, end)
        elif wire == 1:
            position += 8
        elif wire == 2:
            _, position = get_span(position, end)
        elif wire == 3:
            depth += 1
        elif wire == 4:
            depth -= 1
        elif wire == 5:
            position += 4
        else:
            return np.int64(-1)
        if position < 0 or position > end or depth < 0:
            return np.int64(-1)
        if depth == 0:
            return position
        tag, position = get_varint(position, end)
        if position < 0:
            return np.int64(-1)


@njit
def copy_bytes(target, source, size):
    """Copies without reading or writing one byte too many; short copies avoid the call to memcpy."""
    if size <= 16:
        if size >= 8:
            copy8(target, source)
            copy8(target + size - 8, source + size - 8)
        elif size >= 4:
            copy4(target, source)
            copy4(target + size - 4, source + size - 4)
        else:
            for byte in range(size):
                set8(target + byte, u8(source + byte))
    elif size <= 32:
        copy16(target, source)
        copy16(target + size - 16, source + size - 16)
    else:
        memcpy(target, source, size)


@njit
def same_bytes(left, right, size):
    """Returns whether two ranges of `size` bytes are equal, reading nothing outside of them."""
    if size >= 8:
        at = np.int64(0)
        while at + 8 <= size:
            if i64(left + at) != i64(right + at):
                return False
            at += 8
        return i64(left + size - 8) == i64(right + size - 8)
    for at in range(size):  # noqa: SIM110  (numba compiles no generators)
        if u8(left + at) != u8(right + at):
            return False
    return True


@njit
def hash_bytes(address, size):
    """Returns FNV-1a, 32 bits; `emberline.features.tfrecord.codec.example` builds its table of names with it."""
    value = np.int64(2166136261)
    for at in range(size):
        value = ((value ^ u8(address + at)) * 16777619) & np.int64(0xFFFFFFFF)
    return value


# ---- encode --------------------------------------------------------------------------------------------------------
# A column is 16 int64 values:
#   0 kind (0 int64, 1 float32, 2 bytes)     1 shape (0 scalar, 1 list int32 offsets, 2 list int64 offsets, 3 fixed)
#   2 validity bitmap or 0                   3 first bit in it
#   4 list offsets, or the fixed size        5 values (bytes: the data)
#   6 byte offsets                           7 width of a byte offset (4 or 8)
#   8 short template                         9 its length
#  10 longest payload for the short template 11 long template ("key = name, value =")    12 its length
# Feature lists: shape and list offsets are those of the inner lists, and
#  13 offsets of the outer lists, or their size                14 shape of the outer lists (1, 2 or 3)
# The short template is a whole map entry up to its payload, with one byte per length:
#   0A E 0A k name.. 12 M tag L 0A P | payload


@njit
def _offset(address, width, index):
    return i32(address + 4 * index) if width == 4 else i64(address + 8 * index)


@njit
def _put_elements(position, kind, values, byte_offsets, width, low, high):
    """Write the elements of one feature: packed numbers, or tagged byte strings."""
    if kind == 0:
        for index in range(low, high):
            position = put_varint(position, i64(values + 8 * index))
    elif kind == 1:
        copy_bytes(position, values + 4 * low, 4 * (high - low))
        position += 4 * (high - low)
    else:
        for index in range(low, high):
            first = _offset(byte_offsets, width, index)
            size = _offset(byte_offsets, width, index + 1) - first
            set8(position, 0x0A)
            position = put_varint(position + 1, size)
            copy_bytes(position, values + first, size)
            position += size
    return position


@njit
def _elements_size(kind, values, byte_offsets, width, low, high):
    """Bytes that `_put_elements` will write."""
    if kind == 1:
        return 4 * (high - low)
    size = np.int64(0)
    if kind == 0:
        for index in range(low, high):
            size += varint_size(i64(values + 8 * index))
        return size
    for index in range(low, high):
        length = _offset(byte_offsets, width, index + 1) - _offset(byte_offsets, width, index)
        size += 1 + varint_size(length) + length
    return size


@njit
def _list_size(kind, payload):
    """Size of an Int64List, FloatList or BytesList whose elements take `payload` bytes."""
    if kind == 2 or payload == 0:
        return payload
    return 1 + varint_size(payload) + payload


@njit
def _put_feature(position, kind, payload, values, byte_offsets, width, low, high):
    """Write a Feature, tag of the list included, length of the Feature excluded."""
    set8(position, 0x1A - 8 * kind if kind < 2 else 0x0A)
    position = put_varint(position + 1, _list_size(kind, payload))
    if kind < 2 and payload > 0:
        set8(position, 0x0A)
        position = put_varint(position + 1, payload)
    return _put_elements(position, kind, values, byte_offsets, width, low, high)


@njit
def _put_entry(position, column, kind, values, byte_offsets, width, low, high):
    """Write one map entry of `Features`, any size."""
    payload = _elements_size(kind, values, byte_offsets, width, low, high)
    content = _list_size(kind, payload)
    feature = 1 + varint_size(content) + content
    key, key_size = i64(column + 88), i64(column + 96)
    set8(position, 0x0A)
    position = put_varint(position + 1, key_size + varint_size(feature) + feature)
    copy_bytes(position, key, key_size)
    position = put_varint(position + key_size, feature)
    return _put_feature(position, kind, payload, values, byte_offsets, width, low, high)


@njit
def _put_short_entry(position, column, kind, values, byte_offsets, width, low, high):
    """Write one map entry from its template; returns -1 when a length does not fit into one byte."""
    template, size, limit = i64(column + 64), i64(column + 72), i64(column + 80)
    payload = position + size
    if kind == 1:
        length = 4 * (high - low)
        if length > limit:
            return np.int64(-1)
    elif kind == 0:
        length = np.int64(0)
        if (high - low) * 10 > limit and high - low > 1:
            return np.int64(-1)
    else:
        first = _offset(byte_offsets, width, low)
        length = _offset(byte_offsets, width, high) - first
        if length > limit:
            return np.int64(-1)
        values += first
    at = np.int64(0)
    while at < size:  # templates and output both have 16 spare bytes
        copy16(position + at, template + at)
        at += 16
    if kind == 0:
        end = payload
        for index in range(low, high):
            end = put_varint(end, i64(values + 8 * index))
        length = end - payload
        if length > limit:
            return np.int64(-1)
    elif kind == 1:
        copy_bytes(payload, values + 4 * low, length)
    else:
        copy_bytes(payload, values, length)
    key_size = size - 10
    set8(position + 1, key_size + 8 + length)
    set8(payload - 5, length + 4)
    set8(payload - 3, length + 2)
    set8(payload - 1, length)
    return payload + length


@njit
def _is_null(validity, bit):
    return validity != 0 and (u8(validity + (bit >> 3)) >> (bit & 7)) & 1 == 0


@njit
def _bounds(shape, offsets, index):
    """First element of list `index` and the one behind its last; `offsets` is the size for fixed lists."""
    if shape == 0:
        return index, index + 1
    if shape == 3:
        return index * offsets, (index + 1) * offsets
    return _offset(offsets, 4 * shape, index), _offset(offsets, 4 * shape, index + 1)


@njit
def _put_features(at, columns, column_count, row):
    """Write the map entries of one row's `Features`; returns the position behind them."""
    for index in range(column_count):
        column = columns + 128 * index
        if _is_null(i64(column + 16), i64(column + 24) + row):
            continue
        kind = i64(column)
        values, byte_offsets, width = i64(column + 40), i64(column + 48), i64(column + 56)
        low, high = _bounds(i64(column + 8), i64(column + 32), row)
        end = np.int64(-1)
        if low < high and (kind < 2 or high - low == 1):
            end = _put_short_entry(at, column, kind, values, byte_offsets, width, low, high)
        if end < 0:
            end = _put_entry(at, column, kind, values, byte_offsets, width, low, high)
        at = end
    return at


@njit
def _put_feature_lists(at, columns, column_count, row):
    """Write the map entries of one row's `FeatureLists`; returns the position behind them."""
    for index in range(column_count):
        column = columns + 128 * index
        if _is_null(i64(column + 16), i64(column + 24) + row):
            continue
        kind, shape, offsets = i64(column), i64(column + 8), i64(column + 32)
        values, byte_offsets, width = i64(column + 40), i64(column + 48), i64(column + 56)
        key, key_size = i64(column + 88), i64(column + 96)
        first, last = _bounds(i64(column + 112), i64(column + 104), row)
        total = np.int64(0)
        for item in range(first, last):
            low, high = _bounds(shape, offsets, item)
            content = _list_size(kind, _elements_size(kind, values, byte_offsets, width, low, high))
            feature = 1 + varint_size(content) + content
            total += 1 + varint_size(feature) + feature
        set8(at, 0x0A)
        at = put_varint(at + 1, key_size + varint_size(total) + total)
        copy_bytes(at, key, key_size)
        at = put_varint(at + key_size, total)
        for item in range(first, last):
            low, high = _bounds(shape, offsets, item)
            payload = _elements_size(kind, values, byte_offsets, width, low, high)
            content = _list_size(kind, payload)
            set8(at, 0x0A)
            at = put_varint(at + 1, 1 + varint_size(content) + content)
            at = _put_feature(at, kind, payload, values, byte_offsets, width, low, high)
    return at


@njit
def _put_length(position, tag, body, size):
    """Put tag and length before `size` bytes that were written at `body`, moving them if need be; returns their end."""
    start = position + 1 + varint_size(size)
    if start != body:
        memmove(start, body, size)
    set8(position, tag)
    put_varint(position + 1, size)
    return start + size


@njit
def encode_rows(columns, column_count, lists, list_count, first, count, framed, out, ends):
    """Writes rows as `tf.train.Example`, framed when `framed` is 1; returns the number of bytes written.

    With list_count >= 0 it writes `tf.train.SequenceExample`: `columns` become the context, `lists` the feature lists.
    ends[row] receives the end of the row's record (frame included) relative to `out`.
    """
    position = out
    guess = np.int64(3)  # bytes of tag and length of `Features`: rows tend to be like the row before
    for row in range(first, first + count):
        start = position + 12 * framed
        at = _put_features(start + guess, columns, column_count, row)
        size = at - start - guess
        end = _put_length(start, 0x0A, start + guess, size)
        guess = end - start - size
        if list_count >= 0:
            at = _put_feature_lists(end + 3, lists, list_count, row)
            end = _put_length(end, 0x12, end + 3, at - end - 3)
        position = _close_frame(position, end - start) if framed != 0 else end
        set64(ends + 8 * (row - first), position - out)
    return position - out


# ---- decode --------------------------------------------------------------------------------------------------------
# A column is 16 int64 values:
#   0 kind      1 shape (0 scalar, 1 list)    2 values          3 capacity of values (elements; bytes for kind 2)
#   4 validity, one byte per row              5 int32 offsets   (lists: of elements; scalar bytes: of bytes)
#   6 int32 byte offsets of list elements     7 capacity of (6) in elements
#   8 name      9 size of the name           10 row last seen, plus 1; negative: seen at the other depth
#  11 elements of the current row            12 kind of the current row's feature, -1 unset
# Shape 2 is a list of lists (feature lists); 1 to 7 then describe the inner lists, 4 and 5 with room for (15), and
#  13 int32 offsets of the outer lists       14 validity of the outer lists   15 capacity of inner lists


@njit
def _report(info, row, column, first, second):
    set64(info, row)
    set64(info + 8, column)
    set64(info + 16, first)
    set64(info + 24, second)


@njit
def _append_number(column, kind, base, count, bits):
    """Store one number behind `count` others of this row; int64 promotes to float32 where the column is float."""
    target = i64(column + 16)
    if i64(column) == 0:
        set64(target + 8 * (base + count), bits)
    elif kind == 1:
        set32(target + 4 * (base + count), bits)
    else:
        set_float(target + 4 * (base + count), bits)


@intrinsic
def set_float(typingctx, address, value):
    """Stores an int64 as float32."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.FloatType().as_pointer())
        builder.store(builder.sitofp(args[1], ir.FloatType()), pointer, align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), codegen


@njit
def _read_numbers(column, kind, base, count, position, end, info):
    """Append the numbers of one Int64List or FloatList; returns the new count, or -1 - code."""
    capacity = i64(column + 24)
    while position < end:
        tag, position = get_varint(position, end)
        if position < 0:
            return np.int64(-1 - MALFORMED)
        low = np.int64(-1)
        if tag == 0x0A:
            low, high = get_span(position, end)
            if low < 0:
                return np.int64(-1 - MALFORMED)
            position = high
        elif tag == 0x08 and kind == 0:
            low = position
            _, high = get_varint(position, end)
            position = high
        elif tag == 0x0D and kind == 1:
            low = position
            high = position + 4
            position = high
        else:
            high = skip_field(tag, position, end)
            position = high
        if position < 0 or position > end:
            return np.int64(-1 - MALFORMED)
        if low < 0:
            continue
        room = (high - low) // 4 if kind == 1 else high - low
        if base + count + room > capacity:
            # a varint needs at least one byte: count exactly before asking for more memory
            if kind == 0:
                room = np.int64(0)
                for at in range(low, high):
                    room += u8(at) < 128
            if base + count + room > capacity:
                set64(info + 16, 0)
                set64(info + 24, base + count + room)
                return np.int64(-1 - GROW)
        if kind == 1:
            if (high - low) & 3 != 0:
                return np.int64(-1 - MALFORMED)
            copy_bytes(i64(column + 16) + 4 * (base + count), low, high - low)
            count += (high - low) >> 2
        else:
            while low < high:
                value, low = get_varint(low, high)
                if low < 0:
                    return np.int64(-1 - MALFORMED)
                _append_number(column, kind, base, count, value)
                count += 1
    return count


@njit
def _read_bytes(column, base, count, position, end, info):
    """Append the strings of one BytesList; returns the new count, or -1 - code."""
    scalar = i64(column + 8) == 0
    # scalar: offsets hold byte positions of rows; list: inner offsets hold byte positions of elements
    offsets = i64(column + 40) if scalar else i64(column + 48)
    while position < end:
        tag, position = get_varint(position, end)
        if position < 0:
            return np.int64(-1 - MALFORMED)
        if tag != 0x0A:
            position = skip_field(tag, position, end)
            if position < 0:
                return np.int64(-1 - MALFORMED)
            continue
        low, high = get_span(position, end)
        if low < 0:
            return np.int64(-1 - MALFORMED)
        position = high
        if scalar and count > 0:
            count += 1  # the caller reports it
            continue
        if not scalar and base + count + 1 > i64(column + 56):
            set64(info + 16, 1)
            set64(info + 24, base + count + 1)
            return np.int64(-1 - GROW)
        used = i32(offsets + 4 * (base + count))
        size = high - low
        if used + size > i64(column + 24):
            if used + size > 0x7FFFFFFF:
                return np.int64(-1 - TOO_LARGE)
            set64(info + 16, 0)
            set64(info + 24, used + size)
            return np.int64(-1 - GROW)
        copy_bytes(i64(column + 16) + used, low, size)
        count += 1
        set32(offsets + 4 * (base + count), used + size)
    return count


@njit
def _read_feature(column, row, position, end, info):
    """Read one Feature message into the column's current row, from its start; returns a result code."""
    scalar = i64(column + 8) == 0
    base = row if scalar else i32(i64(column + 40) + 4 * row)
    count = np.int64(0)
    kind = np.int64(-1)
    while position < end:
        tag, position = get_varint(position, end)
        if position < 0:
            return MALFORMED
        if tag != 0x0A and tag != 0x12 and tag != 0x1A:
            position = skip_field(tag, position, end)
            if position < 0:
                return MALFORMED
            continue
        low, high = get_span(position, end)
        if low < 0:
            return MALFORMED
        position = high
        found = np.int64(2)
        if tag == 0x1A:
            found = np.int64(0)
        elif tag == 0x12:
            found = np.int64(1)
        if kind >= 0:
            return TWICE
        kind = found
        want = i64(column)
        if found != want and not (found == 0 and want == 1):
            if low < high:
                set64(info + 16, found)
                return WRONG_KIND
            continue
        if found == 2:
            count = _read_bytes(column, base, count, low, high, info)
        else:
            if scalar:
                count = _read_scalar(column, found, base, count, low, high, info)
            else:
                count = _read_numbers(column, found, base, count, low, high, info)
        if count < 0:
            return -1 - count
    set64(column + 88, count)
    set64(column + 96, kind)
    return DONE


@njit
def _read_scalar(column, kind, base, count, position, end, info):
    """Like `_read_numbers` for a column with room for one number per row: later numbers are only counted."""
    if count == 0 and position < end:  # the usual form: 0A <length> <one number>
        size = end - position - 2
        if u8(position) == 0x0A and size > 0 and u8(position + 1) == size:
            if kind == 1:
                if size == 4:
                    copy4(i64(column + 16) + 4 * base, position + 2)
                    return np.int64(1)
            else:
                value, at = get_varint(position + 2, end)
                if at == end:
                    _append_number(column, kind, base, np.int64(0), value)
                    return np.int64(1)
    while position < end:
        tag, position = get_varint(position, end)
        if position < 0:
            return np.int64(-1 - MALFORMED)
        low = np.int64(-1)
        high = np.int64(-1)
        if tag == 0x0A:
            low, high = get_span(position, end)
            if low < 0:
                return np.int64(-1 - MALFORMED)
        elif tag == 0x08 and kind == 0:
            low = position
            _, high = get_varint(position, end)
        elif tag == 0x0D and kind == 1:
            low = position
            high = position + 4
        else:
            high = skip_field(tag, position, end)
        if high < 0 or high > end:
            return np.int64(-1 - MALFORMED)
        position = high
        if low < 0:
            continue
        if kind == 1 and (high - low) & 3 != 0:
            return np.int64(-1 - MALFORMED)
        while low < high:
            if kind == 1:
                value = u32(low)
                low += 4
            else:
                value, low = get_varint(low, high)
                if low < 0:
                    return np.int64(-1 - MALFORMED)
            if count == 0:
                _append_number(column, kind, base, count, value)
            count += 1
    return count


@njit
def _close_row(column, row, seen):
    """Finish a column's row: validity, offsets; returns a result code."""
    kind = i64(column)
    count = i64(column + 88) if seen else np.int64(0)
    present = seen and i64(column + 96) >= 0
    if i64(column + 8) == 0:
        if count > 1:
            return TOO_MANY
        set8(i64(column + 32) + row, count)
        if kind == 2:
            offsets = i64(column + 40)
            if count == 0:
                set32(offsets + 4 * (row + 1), u32(offsets + 4 * row))
        elif count == 0:
            if kind == 0:
                set64(i64(column + 16) + 8 * row, 0)
            else:
                set32(i64(column + 16) + 4 * row, 0)
        return DONE
    offsets = i64(column + 40)
    total = i32(offsets + 4 * row) + count
    if total > 0x7FFFFFFF:
        return TOO_LARGE
    set8(i64(column + 32) + row, 1 if present else 0)
    set32(offsets + 4 * (row + 1), total)
    return DONE


@njit
def _find_column(table, mask, columns, key, size):
    """Index of the column called `key`, or -1."""
    slot = hash_bytes(key, size) & mask
    while True:
        index = i64(table + 8 * slot)
        if index < 0:
            return np.int64(-1)
        column = columns + 128 * index
        if i64(column + 72) == size and same_bytes(i64(column + 64), key, size):
            return index
        slot = (slot + 1) & mask


@njit
def _read_feature_list(column, row, item, position, end, info):
    """Read one FeatureList; its first inner list is number `item`. Returns (code, number behind its last)."""
    while position < end:
        tag, position = get_varint(position, end)
        if position < 0:
            return MALFORMED, item
        if tag != 0x0A:
            position = skip_field(tag, position, end)
            if position < 0:
                return MALFORMED, item
            continue
        low, position = get_span(position, end)
        if low < 0:
            return MALFORMED, item
        if item >= i64(column + 120):
            set64(info + 16, 2)
            set64(info + 24, item + 1)
            return GROW, item
        code = _read_feature(column, item, low, position, info)
        if code == DONE:
            code = _close_row(column, item, True)
        if code != DONE:
            return code, item
        item += 1
    return DONE, item


@njit
def _read_entry(column, row, value, value_end, values, info):
    """Read the value of one map entry into the column's row; returns a result code."""
    if values > 1:
        return TWICE
    if i64(column + 8) == 2:
        outer = i64(column + 104)
        code, item = _read_feature_list(column, row, i32(outer + 4 * row) + np.int64(0), value, value_end, info)
        set32(outer + 4 * (row + 1), item)
        set8(i64(column + 112) + row, 1)
        return code
    code = _read_feature(column, row, value, value_end, info)
    return _close_row(column, row, True) if code == DONE else code


@njit
def _comes_again(key, size, lists, entry, features_end, position, end):
    """Whether the rest of a record has the same key once more, at the same depth: the last one wins.

    Args: the key; whether it is one of feature lists; what is left of its map, and of the record behind that.
    """
    inside = True
    while True:
        while inside and entry < features_end:
            tag, entry = get_varint(entry, features_end)
            if entry < 0:
                return False
            if tag != 0x0A:
                entry = skip_field(tag, entry, features_end)
                if entry < 0:
                    return False
                continue
            at, entry = get_span(entry, features_end)
            if at < 0:
                return False
            other = at
            other_size = np.int64(0)
            while at < entry:
                tag, at = get_varint(at, entry)
                if at < 0:
                    return False
                if tag == 0x0A:
                    other, at = get_span(at, entry)
                    other_size = at - other
                else:
                    at = skip_field(tag, at, entry)
                if at < 0:
                    return False
            if other_size == size and same_bytes(other, key, size):
                return True
        if position >= end:
            return False
        tag, position = get_varint(position, end)
        if position < 0:
            return False
        inside = (tag == 0x12) if lists else (tag == 0x0A)
        if inside:
            entry, features_end = get_span(position, end)
            position = features_end
            if entry < 0:
                return False
        else:
            position = skip_field(tag, position, end)
            if position < 0:
                return False


@njit
def _absent(column, row):
    """Write a null into the column's row."""
    if i64(column + 8) == 2:
        outer = i64(column + 104)
        set32(outer + 4 * (row + 1), u32(outer + 4 * row))
        set8(i64(column + 112) + row, 0)
    else:
        _close_row(column, row, False)


@njit
def _read_usual_entry(remembered, columns, row, entry, end):
    """Reads a map entry of the form that writers give nearly all of them, if its key is the remembered one.

    That is fewer than 128 bytes, first the key, then the value and nothing else. Where the column is read, it has one
    value per row, and the feature holds exactly one, of the column's own kind: 0A size 0A key 12 size KIND size 0A
    size and the value.

    Returns the position behind it; -1 if it has another key or form, and then nothing is written.
    """
    key_size = i64(remembered + 8)
    value = entry + key_size + 4  # where the value's tag is due
    if value + 2 > end:
        return np.int64(-1)
    stop = entry + 2 + u8(entry + 1)
    if stop > end or u8(entry + 1) > 127 or u8(entry) != 0x0A or u8(entry + 2) != 0x0A or u8(entry + 3) != key_size:
        return np.int64(-1)
    if value + 2 > stop or u8(value) != 0x12 or value + 2 + u8(value + 1) != stop:
        return np.int64(-1)
    if not same_bytes(i64(remembered), entry + 4, key_size):
        return np.int64(-1)
    index = i64(remembered + 16)
    if index < 0:
        return stop
    column = columns + 128 * index
    payload = value + 6
    length = stop - payload
    if length < 0 or i64(column + 8) != 0 or u8(value + 3) != length + 2 or u8(value + 4) != 0x0A:
        return np.int64(-1)
    if u8(value + 5) != length:
        return np.int64(-1)
    kind, found, values = i64(column), u8(value + 2), i64(column + 16)
    if kind == 2:
        offsets = i64(column + 40) + 4 * row
        used = i32(offsets)
        if found != 0x0A or used + length > i64(column + 24):
            return np.int64(-1)
        copy_bytes(values + used, payload, length)
        set32(offsets + 4, used + length)
    elif kind == 1:
        if found != 0x12 or length != 4:
            return np.int64(-1)
        copy4(values + 4 * row, payload)
    else:
        number, at = get_varint(payload, stop)
        if found != 0x1A or at != stop:
            return np.int64(-1)
        set64(values + 8 * row, number)
    set8(i64(column + 32) + row, 1)
    return stop


@njit
def _remember(slot, key, size, index):
    set64(slot, key)
    set64(slot + 8, size)
    set64(slot + 16, index)


@njit
def decode_rows(
    buffer, starts, lengths, first, count, columns, column_count, table, mask, memory, memory_size, sequence, info
):
    """Reads serialized `tf.train.Example` records into columns, from row `first` on; returns a result code.

    With sequence = 1 the records are `tf.train.SequenceExample`: columns of shape 2 are read from the feature lists,
    the others from the context.

    On GROW the caller enlarges a buffer and calls again with first = info[0]: a row is always read from its start.
    `memory` holds 2 * memory_size triples (key address, key size, column): the keys in the order in which an earlier
    record had them. Writers repeat their order, so most keys are found by one comparison.
    """
    known = np.int64(0)
    recent = memory + 24 * memory_size
    for row in range(first, count):
        position = buffer + i64(starts + 8 * row)
        end = position + i64(lengths + 8 * row)
        seen = np.int64(0)
        cursor = np.int64(0)
        ordinal = np.int64(0)
        misses = np.int64(0)
        straight = True  # so far every entry was the remembered one of its place
        while position < end:
            tag, position = get_varint(position, end)
            if position < 0:
                _report(info, row, -1, 0, 0)
                return MALFORMED
            lists = sequence != 0 and tag == 0x12
            if tag != 0x0A and not lists:
                position = skip_field(tag, position, end)
                if position < 0:
                    _report(info, row, -1, 0, 0)
                    return MALFORMED
                continue
            entry, features_end = get_span(position, end)
            if entry < 0:
                _report(info, row, -1, 0, 0)
                return MALFORMED
            position = features_end
            while entry < features_end:
                if cursor < known and not lists:
                    remembered = memory + 24 * cursor
                    behind = _read_usual_entry(remembered, columns, row, entry, features_end)
                    if behind >= 0:
                        index = i64(remembered + 16)
                        if not straight and ordinal < memory_size:
                            _remember(recent + 24 * ordinal, i64(remembered), i64(remembered + 8), index)
                        if index >= 0:
                            mark = columns + 128 * index + 80
                            seen += i64(mark) != row + 1
                            set64(mark, row + 1)
                        cursor += 1
                        ordinal += 1
                        entry = behind
                        continue
                if straight:
                    for place in range(ordinal):
                        written = memory + 24 * place
                        _remember(recent + 24 * place, i64(written), i64(written + 8), i64(written + 16))
                    straight = False
                tag, entry = get_varint(entry, features_end)
                if entry < 0:
                    _report(info, row, -1, 0, 0)
                    return MALFORMED
                if tag != 0x0A:
                    entry = skip_field(tag, entry, features_end)
                    if entry < 0:
                        _report(info, row, -1, 0, 0)
                        return MALFORMED
                    continue
                low, entry_end = get_span(entry, features_end)
                if low < 0:
                    _report(info, row, -1, 0, 0)
                    return MALFORMED
                entry = entry_end
                # the map entry: find the key (last one wins), count the values
                key = low
                key_size = np.int64(0)
                value = np.int64(0)
                value_end = np.int64(0)
                values = np.int64(0)
                at = low
                while at < entry_end:
                    tag, at = get_varint(at, entry_end)
                    if at < 0:
                        _report(info, row, -1, 0, 0)
                        return MALFORMED
                    if tag == 0x0A:
                        key, at = get_span(at, entry_end)
                        key_size = at - key
                    elif tag == 0x12:
                        value, at = get_span(at, entry_end)
                        value_end = at
                        values += 1
                    else:
                        at = skip_field(tag, at, entry_end)
                    if at < 0:
                        _report(info, row, -1, 0, 0)
                        return MALFORMED
                index = np.int64(-2)
                for ahead in range(cursor, min(cursor + 4, known)):
                    remembered = memory + 24 * ahead
                    if i64(remembered + 8) == key_size and same_bytes(i64(remembered), key, key_size):
                        index = i64(remembered + 16)
                        cursor = ahead + 1
                        break
                if index == -2:
                    misses += 1
                    index = _find_column(table, mask, columns, key, key_size)
                if ordinal < memory_size:
                    _remember(recent + 24 * ordinal, key, key_size, index)
                ordinal += 1
                if index < 0:
                    continue
                column = columns + 128 * index
                if (i64(column + 8) == 2) != lists:
                    if i64(column + 80) != row + 1:
                        set64(column + 80, -row - 1)
                    continue
                if i64(column + 80) != row + 1:
                    set64(column + 80, row + 1)
                    seen += 1
                code = _read_entry(column, row, value, value_end, values, info)
                if code != DONE:
                    unfit = code in (WRONG_KIND, TOO_MANY, TWICE)
                    if unfit and _comes_again(key, key_size, lists, entry, features_end, position, end):
                        continue
                    _report(info, row, index, i64(info + 16), i64(info + 24))
                    return code
        if seen < column_count:
            for index in range(column_count):
                column = columns + 128 * index
                if i64(column + 80) == -row - 1:
                    _report(info, row, index, 0, 0)
                    return WRONG_DEPTH
                if i64(column + 80) != row + 1:
                    _absent(column, row)
        if misses > 0 and ordinal <= memory_size and (ordinal > known or 2 * misses > ordinal):
            memory, recent = recent, memory
            known = ordinal
    _report(info, count, -1, 0, 0)
    return DONE
