"""Bytes from others: what they claim is bounded before anything is made of it, by readers and by exported graphs."""

import io
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from emberline.features import storage
from emberline.features.analysis.sources import ByteRange, FileChangedError
from emberline.features.images.decoding import pixels
from emberline.features.images.header import ImageError, read_header
from emberline.features.sounds.decoding import waveform
from emberline.features.sounds.wav import SoundError, wav_bytes
from emberline.features.sounds.wav import read_header as read_wav
from emberline.features.tfrecord.codec.framing import DamagedRecordError, RecordReader, crc32c

SECONDS = 20
"""More than any of these takes on a busy machine, and much less than what they replace took."""


def chunk(name: bytes, size: int, content: bytes = b"") -> bytes:
    return struct.pack("<4sI", name, size) + content


def form(rate: int = 8000, channels: int = 1) -> bytes:
    return chunk(b"fmt ", 16, struct.pack("<HHIIHH", 1, channels, rate, rate * 2 % 2**32, 2 * channels, 16))


def wav(*chunks: bytes) -> bytes:
    return b"RIFF\0\0\0\0WAVE" + b"".join(chunks)


DATA = chunk(b"data", 8, bytes(8))
FORGED_SOUNDS = {
    "a chunk that leads back to itself": wav(form(), chunk(b"junk", 0xFFFFFFF8), DATA),
    "a chunk that leads back to the beginning": wav(form(), chunk(b"junk", 0xFFFFFFD0), DATA),
    "a chunk that leads around": wav(form(), chunk(b"junk", 0x7FFFFFFF), DATA),
    "one sample a second": wav(form(rate=1), DATA),
    "200 MHz": wav(form(rate=200_000_000), DATA),
    "a negative rate": wav(form(rate=0xFFFFFFFF), DATA),
    "many channels": wav(form(channels=4000), chunk(b"data", 8000, bytes(8000))),
    "no channel": wav(form(channels=0), DATA),
}


@pytest.mark.parametrize("content", FORGED_SOUNDS.values(), ids=FORGED_SOUNDS)
def test_a_forged_sound_ends_in_an_error_by_header_and_graph(content: bytes) -> None:
    with pytest.raises(SoundError):
        read_wav(content)
    began = time.monotonic()
    with pytest.raises(tf.errors.InvalidArgumentError, match="a sound"):
        waveform(tf.constant(content), 16_000)
    assert time.monotonic() - began < SECONDS


def gif(screen: tuple[int, int], *frames: tuple[int, int], note: bytes = b"") -> bytes:
    """A GIF whose frames claim sizes and hold next to nothing."""
    parts = [b"GIF89a", struct.pack("<HHBBB", *screen, 0, 0, 0)]
    if note:
        parts.append(
            b"\x21\xfe"
            + b"".join(bytes([len(p)]) + p for p in (note[i : i + 255] for i in range(0, len(note), 255)))
            + b"\0"
        )
    for width, height in frames:
        parts.append(b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\0")
    return b"".join(parts) + b";"


def test_frames_of_a_gif_count() -> None:
    good = gif((10, 10), *[(10, 10)] * 5, note=b"\x2c" * 1000)
    assert (read_header(good).width, read_header(good).frames) == (10, 500)
    moving = [Image.new("L", (20, 30), shade) for shade in (0, 100, 200)]
    file = io.BytesIO()
    moving[0].save(file, "GIF", save_all=True, append_images=moving[1:])
    assert read_header(file.getvalue()).frames == 3 * 600
    for forged in (gif((10, 10), (11_000, 10_000)), gif((10, 10), *[(5000, 5000)] * 5, note=b"x" * 700)):
        with pytest.raises(ImageError, match="has frames of"):
            read_header(forged)


def png(width: int, height: int) -> bytes:
    def part(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    return (
        b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) + part(b"IEND", b"")
    )


def jpeg(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG")
    data = file.getvalue()
    place = data.index(b"\xff\xc0") + 5
    return data[:place] + struct.pack(">HH", height, width) + data[place + 4 :]


CLAIMS: dict[str, bytes] = {
    "gif": gif((10, 10), (11_000, 10_000)),
    "gif of many frames": gif((10, 10), *[(5000, 5000)] * 5),
    "gif screen": gif((20_000, 20_000), (1, 1)),
    "png": png(50_000, 50_000),
    "png wrapping": png(2**31 - 1, 2**31 - 1),
    "jpeg": jpeg(60_000, 60_000),
    "bmp": b"BM" + struct.pack("<IIIIiiHHI", 0, 0, 54, 40, 50_000, -50_000, 1, 24, 0) + bytes(60),
    "webp": b"RIFF\x30\0\0\0WEBPVP8X" + struct.pack("<II", 10, 0) + (49_999).to_bytes(3, "little") * 2 + bytes(8),
    "webp lossless": b"RIFF\x30\0\0\0WEBPVP8L" + struct.pack("<IBI", 20, 0x2F, (1 << 28) - 1) + bytes(20),
}


@pytest.mark.parametrize("content", CLAIMS.values(), ids=CLAIMS)
def test_a_graph_refuses_pixels_that_are_only_claimed(content: bytes) -> None:
    with pytest.raises(ImageError, match="allowed"):
        read_header(content)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"more pixels than are allowed|too large"):
        pixels(tf.constant([content]), (8, 8, 3), "stretch")


@pytest.mark.parametrize("form", ["GIF", "BMP", "WEBP", "PNG", "JPEG"])
def test_and_takes_those_that_are_allowed(form: str) -> None:
    file = io.BytesIO()
    shown = Image.new("RGB", (40, 30), (200, 100, 50))
    more = {"save_all": True, "append_images": [Image.new("RGB", (40, 30))]} if form == "GIF" else {}
    shown.save(file, form, **more)
    found = pixels(tf.constant([file.getvalue()]), (8, 8, 3), "stretch").numpy()
    assert abs(found.astype(int) - [200, 100, 50]).max() < 12


def frame(claimed: int, content: bytes) -> bytes:
    length = struct.pack("<Q", claimed)
    crc = crc32c(length)
    return length + struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF) + content


@pytest.mark.parametrize(
    ("codec", "claimed", "said"),
    [("gzip", 1 << 30, "allowed in a compressed file"), ("zlib", 1 << 40, "allowed"), (None, 1 << 30, "are there")],
)
def test_a_record_longer_than_can_be_is_damage_before_it_is_waited_for(
    tmp_path: Path, codec: str | None, claimed: int, said: str
) -> None:
    plain = frame(claimed, bytes(64 << 10))
    packer = zlib.compressobj(wbits=31 if codec == "gzip" else 15)
    stored = packer.compress(plain) + packer.flush() if codec else plain
    (tmp_path / "x").write_bytes(stored)
    with pytest.raises(DamagedRecordError, match=f"says that it takes .* bytes, and at most .* {said}"):
        list(RecordReader(str(tmp_path / "x"), codec))
    reader = RecordReader(str(tmp_path / "x"), codec, on_damage="skip_rest")
    assert sum(map(len, reader)) == 0
    assert reader.damage is not None


def test_links_lead_in_no_circle(tmp_path: Path) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    for name in ("a", "deep/b"):
        (tmp_path / "data" / name).write_text("1")
    (tmp_path / "data" / "back").symlink_to(".")
    (tmp_path / "data" / "deep" / "up").symlink_to("..")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c").write_text("1")
    (tmp_path / "data" / "there").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "data" / "broken").symlink_to("nowhere")
    names = [
        entry.uri.removeprefix(f"{tmp_path}/data/") for entry in storage.list_files(tmp_path / "data", recursive=True)
    ]
    assert names == ["a", "deep/b", "there/c"]


def test_a_file_that_changed_since_it_was_planned() -> None:
    ByteRange("x", 0, 10, 10).require_planned(10)
    ByteRange("x", 0, 10).require_planned(11)
    with pytest.raises(FileChangedError, match=r"x had 10 bytes .* and has 11 now"):
        ByteRange("x", 0, 10, 10).require_planned(11)


def good(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 7), (200, 100, 50)).save(file, form, **options)
    return file.getvalue()


GOOD_IMAGES = {
    "gif": gif((8, 8), (8, 8), (4, 4), note=b"hello"), "png": png(8, 8), "jpeg": jpeg(16, 16), "bmp": good("BMP"),
    "webp": good("WEBP"), "webp lossless": good("WEBP", lossless=True), "webp extended": good("WEBP", exif=b"Exif\0\0"),
}  # fmt: skip
ROUNDS = 400


def mutated(content: bytes, random: np.random.Generator) -> bytes:
    """The bytes with some of them changed, cut out, doubled, or all behind a place gone."""
    data = bytearray(content)
    for _ in range(random.integers(1, 6)):
        place = int(random.integers(0, len(data)))
        match random.integers(0, 4):
            case 0:
                data[place] = int(random.choice([0, 1, 127, 128, 254, 255, random.integers(0, 256)]))
            case 1:
                data[place : place + 4] = random.bytes(4)
            case 2:
                del data[place : place + int(random.integers(1, 9))]
            case 3:
                data[place:place] = data[place : place + int(random.integers(1, 9))]
        if not data:
            return b""
    return bytes(data)


def header_of_sound(content: bytes) -> None:
    with_error(SoundError, read_wav, content)


def header_of_image(content: bytes) -> None:
    with_error(ImageError, read_header, content)


def with_error(error: type[Exception], read: Callable[[bytes], object], content: bytes) -> None:
    try:
        read(content)
    except error:
        pass


READERS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...]]] = {
    "sounds": (header_of_sound, (wav_bytes(np.zeros(8), 8000), *FORGED_SOUNDS.values())),
    "images": (header_of_image, (*GOOD_IMAGES.values(), *CLAIMS.values())),
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize(
    "rounds", [ROUNDS, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(3600)])]
)
def test_headers_of_mutated_files_are_read_or_refused(kind: str, rounds: int) -> None:
    read, seeds = READERS[kind]
    random = np.random.default_rng(19)
    for number in range(rounds):
        content = mutated(seeds[number % len(seeds)], random)
        try:
            read(content)
        except Exception as error:
            raise AssertionError(f"round {number} of seed 19: {content.hex()}") from error


@pytest.mark.parametrize(
    "rounds", [ROUNDS, pytest.param(1_000_000, marks=[pytest.mark.slow, pytest.mark.timeout(4 * 3600)])]
)
def test_the_sound_graph_agrees_with_the_header_on_mutated_files(rounds: int) -> None:
    """What the header takes becomes finite samples; what it refuses ends, in whichever way."""
    random = np.random.default_rng(20)
    decode = tf.function(lambda content: waveform(content, 8000), input_signature=[tf.TensorSpec([], tf.string)])
    seeds = READERS["sounds"][1]
    for number in range(rounds):
        content = mutated(seeds[number % len(seeds)], random) or b"?"
        try:
            read_wav(content)
        except SoundError:
            continue  # of the graph, only that it ends: it may take what a strict reader of headers does not
        assert np.isfinite(decode(tf.constant(content)).numpy()).all(), f"round {number}: {content.hex()}"
    began = time.monotonic()
    for number in range(rounds // 4):
        content = mutated(seeds[number % len(seeds)], random) or b"?"
        try:
            decode(tf.constant(content))
        except tf.errors.InvalidArgumentError:
            pass
    assert time.monotonic() - began < 10 * SECONDS + rounds / 100, "each call ends at once"
