"""Frames, codecs, streaming and damage, with files of TensorFlow's own writer and reader as the oracle."""

import gzip
import pickle
import zlib
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emberline.features import storage
from emberline.features.tfrecord.codec.framing import (
    DamagedRecordError,
    RecordReader,
    Records,
    RecordWriter,
    check_codec,
    crc32c,
    detect_codec,
    frame_records,
    scan_buffer,
    write_records,
)

tf = pytest.importorskip("tensorflow")

CODECS = [None, "gzip", "zlib"]
TF_NAME = {None: "", "gzip": "GZIP", "zlib": "ZLIB"}
CONTENT = [b"", b"a", b"hello" * 100, bytes(range(256)) * 300, b"end"]


def read(uri: object, **options: object) -> list[bytes]:
    return [batch[i] for batch in RecordReader(str(uri), **options) for i in range(len(batch))]  # type: ignore[arg-type]


@pytest.mark.parametrize("codec", CODECS)
def test_tensorflow_reads_what_we_write_and_we_read_what_it_writes(tmp_path: Path, codec: str | None) -> None:
    ours, theirs = str(tmp_path / "ours"), str(tmp_path / "theirs")
    writer = write_records(ours, [CONTENT[:2], pa.array(CONTENT[2:], pa.binary())], codec)
    stored = Path(ours).read_bytes()
    assert (writer.bytes, writer.crc32c) == (len(stored), crc32c(stored))
    assert [record.numpy() for record in tf.data.TFRecordDataset(ours, TF_NAME[codec])] == CONTENT
    with tf.io.TFRecordWriter(theirs, TF_NAME[codec]) as out:
        for record in CONTENT:
            out.write(record)
    if codec is None:
        assert Path(theirs).read_bytes() == stored
    for read_bytes in (1, 17, 1 << 22):
        assert read(theirs, read_bytes=read_bytes) == CONTENT
        assert read(theirs, codec=codec or "none", read_bytes=read_bytes) == CONTENT


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=100), max_size=20), st.sampled_from(CODECS), st.integers(1, 200), st.integers(1, 5))
def test_any_records_come_back_in_small_pieces(
    records: list[bytes], codec: str | None, read_bytes: int, batch_records: int
) -> None:
    write_records("memory:/framing/any", [records], codec)
    reader = RecordReader("memory:/framing/any", read_bytes=read_bytes, batch_records=batch_records)
    batches = list(reader)
    assert [batch[i] for batch in batches for i in range(len(batch))] == records
    assert all(0 < len(batch) <= batch_records for batch in batches)
    assert reader.records == len(records)
    offset = 0
    for batch in batches:
        assert batch.first_offset == offset
        offset += sum(int(length) + 16 for length in batch.lengths)


def test_empty_files_have_no_records(tmp_path: Path) -> None:
    for codec in CODECS:
        write_records(str(tmp_path / "e"), [], codec)
        assert read(tmp_path / "e") == []
    (tmp_path / "zero").write_bytes(b"")
    assert read(tmp_path / "zero") == read(tmp_path / "zero", codec="gzip") == []


def test_concatenated_gzip_members_are_one_file(tmp_path: Path) -> None:
    parts = [gzip.compress(bytes(frame_records([record]))) for record in CONTENT]
    (tmp_path / "a.gz").write_bytes(b"".join(parts))
    assert read(tmp_path / "a.gz") == read(tmp_path / "a.gz", read_bytes=5) == CONTENT


def test_codec_is_recognised_by_the_first_bytes() -> None:
    frames = bytes(frame_records([b"x" * 50]))
    assert detect_codec(frames) is None
    assert detect_codec(gzip.compress(frames)) == "gzip"
    assert [detect_codec(zlib.compress(frames, level)) for level in (1, 6, 9)] == ["zlib"] * 3
    assert detect_codec(b"") is None
    # a length that looks like the beginning of a gzip file: 0x00088B1F bytes
    assert detect_codec(bytes(frame_records([bytes(0x088B1F)]))) is None


def test_codec_names() -> None:
    assert [check_codec(name) for name in (None, "", "none", "GZIP", "zlib")] == [None, None, None, "gzip", "zlib"]
    with pytest.raises(ValueError, match="Codec 'lz4' is not known; use none, gzip or zlib"):
        check_codec("lz4")


# ---- damage -------------------------------------------------------------------------------------------------------

FRAMES = bytes(frame_records(CONTENT))
STARTS = [0, 16, 33, 549, 77365]  # of the frames of CONTENT


def damaged(data: bytes, tmp_path: Path, **options: object) -> DamagedRecordError:
    path = tmp_path / "damaged"
    path.write_bytes(data)
    with pytest.raises(DamagedRecordError) as caught:
        read(path, **options)
    assert str(path) in str(caught.value)
    return caught.value


def test_a_flipped_bit_in_the_data(tmp_path: Path) -> None:
    data = bytearray(FRAMES)
    data[STARTS[2] + 12 + 400] ^= 4
    error = damaged(bytes(data), tmp_path)
    assert (error.record, error.offset) == (2, 33)
    assert "record 2 at byte 33: the checksum of the data is wrong" in str(error)
    assert read(tmp_path / "damaged", check_crc=False)[3:] == CONTENT[3:]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 8 * len(FRAMES) - 1))
def test_any_flipped_bit_is_noticed_in_its_record(bit: int) -> None:
    data = bytearray(FRAMES)
    data[bit // 8] ^= 1 << bit % 8
    storage.write_bytes_atomic("memory:/framing/flipped", bytes(data))
    with pytest.raises(DamagedRecordError) as caught:
        read("memory:/framing/flipped", codec=None)
    record = max(n for n, start in enumerate(STARTS) if start <= bit // 8)
    assert (caught.value.record, caught.value.offset) == (record, STARTS[record])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, len(FRAMES) - 1))
def test_a_cut_file_is_never_silently_short(size: int) -> None:
    storage.write_bytes_atomic("memory:/framing/cut", FRAMES[:size])
    if size in STARTS:  # indistinguishable from a file that ends there: the manifest's row counts catch it
        assert len(read("memory:/framing/cut", codec=None)) == STARTS.index(size)
        return
    with pytest.raises(DamagedRecordError, match="the file ends inside this record") as caught:
        read("memory:/framing/cut", codec=None)
    assert caught.value.offset == max(start for start in STARTS if start <= size)


def test_a_wrong_length(tmp_path: Path) -> None:
    data = bytearray(FRAMES)
    data[STARTS[1] : STARTS[1] + 8] = (2**40).to_bytes(8, "little")
    error = damaged(bytes(data), tmp_path)
    assert (error.record, error.offset, error.reason) == (1, 16, "the checksum of the length is wrong")


def test_a_length_beyond_the_end_with_a_valid_checksum(tmp_path: Path) -> None:
    head = (2**50).to_bytes(8, "little")
    crc = crc32c(head)
    masked = ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
    error = damaged(FRAMES + head + masked.to_bytes(4, "little") + b"rest", tmp_path)
    assert (error.record, error.offset) == (5, len(FRAMES))
    assert "it takes 1,125,899,906,842,640 bytes, and at most 16 are there or allowed" in error.reason


def test_a_foreign_file(tmp_path: Path) -> None:
    error = damaged(b"PAR1 this is something else, and long enough", tmp_path)
    assert (error.record, error.offset) == (0, 0)
    assert "this is no TFRecord file, or it needs another codec" in str(error)
    assert damaged(b"short", tmp_path).record == 0


@pytest.mark.parametrize("codec", ["gzip", "zlib"])
def test_damaged_streams(tmp_path: Path, codec: str) -> None:
    write_records(str(tmp_path / "a"), [CONTENT], codec)
    whole = (tmp_path / "a").read_bytes()
    for size in (len(whole) // 2, len(whole) - 1, 5):
        assert damaged(whole[:size], tmp_path, codec=codec).uri
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 0x55
    damaged(bytes(middle), tmp_path, codec=codec)
    damaged(whole + b"garbage", tmp_path, codec=codec)
    assert "stream is damaged" in str(damaged(FRAMES, tmp_path, codec=codec))


def test_skip_rest_keeps_what_came_before_and_counts(tmp_path: Path) -> None:
    data = bytearray(FRAMES)
    data[STARTS[3] + 100] ^= 1
    (tmp_path / "d").write_bytes(data)
    reader = RecordReader(str(tmp_path / "d"), on_damage="skip_rest")
    found = [batch[i] for batch in reader for i in range(len(batch))]
    assert found == CONTENT[:3]
    assert reader.records == 3
    assert reader.damage is not None
    assert reader.damage.record == 3
    assert reader.skipped_bytes == len(FRAMES) - STARTS[3]
    with pytest.raises(ValueError, match="on_damage is 'ignore'"):
        RecordReader("x", on_damage="ignore")  # type: ignore[arg-type]


def test_errors_travel_between_processes() -> None:
    error = DamagedRecordError("reason", uri="file:/x", record=3, offset=99)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.record, again.offset) == (str(error), 3, 99)


def test_scan_buffer_wants_whole_frames() -> None:
    records = scan_buffer(FRAMES, uri="u", first_record=10, offset=1000)
    assert [records[i] for i in range(len(records))] == CONTENT
    assert str(records.error(2, "x")) == "u: record 12 at byte 1033: x"
    with pytest.raises(DamagedRecordError, match="u: record 14 at byte 78365: the record is cut"):
        scan_buffer(FRAMES[:-1], uri="u", first_record=10, offset=1000)


def test_records_of_arrow_arrays() -> None:
    array = pa.chunked_array([pa.array([b"skip", b"a", b""]), pa.array([b"bc"])]).slice(1)
    records = Records.of(array)
    assert [records[i] for i in range(3)] == [b"a", b"", b"bc"]
    assert records.to_arrow().to_pylist() == [b"a", b"", b"bc"]
    assert records.slice(1, 3).to_arrow().to_pylist() == [b"", b"bc"]
    with pytest.raises(ValueError, match="1 of 2 serialized records are null"):
        Records.of(pa.array([b"", None], pa.binary()))


def test_writer_leaves_an_unfinished_file_when_the_block_fails(tmp_path: Path) -> None:
    """Callers write to a staging name and rename: the writer itself promises nothing about a failed file."""

    def fail() -> None:
        with RecordWriter(str(tmp_path / "w"), "gzip") as writer:
            writer.write(frame_records([b"x"]))
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    with pytest.raises(DamagedRecordError):
        read(tmp_path / "w", codec="gzip")
