"""Speech Commands: which of ten words did somebody say, another word, or nothing? Seconds at 16,000 samples per second.

Official layout: a folder per word with files called `{speaker}_nohash_{number}.wav`, and `_background_noise_` with long
recordings. The official testing tenth is held out, and the official validation tenth is left out of training: to
measure with it while something is tried, take `dataset=speech_commands_validation`. `testing_list.txt` and
`validation_list.txt` say which these are; where they are missing, the rule that they were made by, a hash of the name
up to `_nohash_`, which keeps a speaker on one side. Of words that are none of the ten, and of silence, as many are
taken as a tenth of the ten words' files. Every row of training brings a piece of background noise to be mixed with;
that of held-out silence comes from the last fifth of each recording, the others from before.
Source: Warden, "Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition", 2018.
"""

import hashlib
import io
import re
import wave
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.sounds.wav import SoundError, read_header, wav_bytes
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.audio.spoken_digits import spoken
from emberline.pipelines.datasets.readers.raw_table import read_named
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts, write_facts
from emberline.pipelines.metrics.keyword_spotting import Word

RATE, SAMPLES = 16_000, 16_000
WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
SILENCE, UNKNOWN = "_silence_", "_unknown_"
NOISE = "_background_noise_"

SCHEMA = Schema(
    fields=(Field("sound", "sound", required=True), Field("noise", "sound")),
    label=Label("word", classes=tuple((word,) for word in (SILENCE, UNKNOWN, *WORDS))),
    key="path",
)

Part = Literal["training", "validation", "testing"]

ASIDE: tuple[Part, ...] = ("validation", "testing")
"""Each a tenth of the speakers, in the order of the official rule."""

PERCENT, SHARE = 10, 0.1
"""Of the speakers, for each of them; files of other words, and of silence, for each file of the ten."""

_BUCKETS = 2**27
"""The official rule counts in so many parts."""

_CLIPS = 200
"""Files that a task reads."""

OTHERS = ("bed", "bird", "cat", "dog", "happy")
SPEAKERS = 60
"""Of the stand-in: words that are not to be told apart, and voices, each of which says every word."""


class Clip(NamedTuple):
    """One row to be.

    Args:
        key: Path of the file below the folder; of silence a synthetic one.
        file: URI of its sound; of silence that of the noise.
        word: Its label, None where it is not known.
        noise: URI of the noise that it brings; empty for none.
        chance: Between 0 and 1, by its key: where its noise is cut out, and how loud a silence is.
        held_out: Whether silence is cut from the last fifth.
    """

    key: str
    file: str
    word: str | None
    noise: str
    chance: float
    held_out: bool


class SpeechCommands:
    """Reads the official layout, or a Parquet table with the same column names.

    Args:
        name: Of the data set: that of its module.
        aside: Part that is held out.
    """

    def __init__(self, name: str, aside: Part) -> None:
        self.name = name
        self.schema = SCHEMA
        self._aside = aside

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of all files at `uri`.

        Args:
            spark: The session.
            uri: The folder of the folders, or any folder of WAV files to be scored.
            split: `train` or `eval`.

        Raises:
            BadInputError: if the path does not exist, or holds none of the ten words.
        """
        if not storage.exists(uri):
            raise BadInputError(f"No input at {uri!r}: the path does not exist. Give the folder of the words' folders.")
        if uri.endswith(".parquet"):
            return read_named(spark, uri, SCHEMA)
        clips = list(chosen(uri, split, self._aside))
        parts = [tuple(clips[start : start + _CLIPS]) for start in range(0, len(clips), _CLIPS)]
        answer = f"path string, sound binary, noise binary, word string, {RAW} string, {SOURCE} string, {FAULT} string"
        return spark.range(0, len(parts), 1, max(1, len(parts))).mapInArrow(ReadClips(tuple(parts)), answer)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes the official layout: every voice says every word once; a hum, a hiss and crackling beside them."""
        generator = np.random.default_rng(seed)
        for speaker in range(SPEAKERS):
            pitch = generator.uniform(90, 240)
            name = hashlib.sha1(f"{seed}-{speaker}".encode()).hexdigest()[:8]
            for number, word in enumerate((*WORDS, *OTHERS)):
                said = spoken(number, pitch, generator, RATE)
                clip = np.zeros(SAMPLES)
                place = int(generator.integers(0, SAMPLES - len(said)))
                clip[place : place + len(said)] = said
                file = storage.join(directory, word, f"{name}_nohash_0.wav")
                storage.write_bytes_atomic(file, wav_bytes(clip, RATE))
        for kind, noise in noises(generator, seconds=20).items():
            storage.write_bytes_atomic(storage.join(directory, NOISE, f"{kind}.wav"), wav_bytes(noise, RATE))
        return write_facts(directory, Synthetic({"accuracy": 1.0}, seed))

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


DATASET = SpeechCommands("speech_commands", "testing")


def part_of(name: str) -> Part:
    """Returns the official rule: by the SHA-1 of a file's name up to `_nohash_`.

    Args:
        name: Of a file, without its folder.
    """
    speaker = re.sub("_nohash_.*$", "", name)
    place = int(hashlib.sha1(speaker.encode()).hexdigest(), 16) % _BUCKETS * (100.0 / (_BUCKETS - 1))
    return ASIDE[int(place // PERCENT)] if place < PERCENT * len(ASIDE) else "training"


def listed(uri: str) -> dict[str, Part]:
    """Returns what the official lists say of files, `word/name.wav`; empty where there are none."""
    files: dict[Part, str] = {part: storage.join(uri, f"{part}_list.txt") for part in ASIDE}
    found = {part: storage.read_text(file).split() for part, file in files.items() if storage.exists(file)}
    return {name: part for part, names in found.items() for name in names}


def chosen(uri: str, split: str | None, aside: Part = "testing") -> Iterator[Clip]:
    """Yields the rows of a split: all files of the ten words, some of others, and silence; of no split, all files there
    are.

    Args:
        uri: The folder of the folders.
        split: `train` or `eval`.
        aside: Part that is held out.

    Raises:
        BadInputError: if a split is asked for and there is none of the ten words.
    """
    root = uri.rstrip("/") + "/"
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for entry in storage.list_files(uri, recursive=True):
        if entry.uri.lower().endswith(".wav"):
            key = entry.uri[entry.uri.index(root) + len(root) :] if root in entry.uri else entry.uri.rpartition("/")[2]
            found[key.rpartition("/")[0].rpartition("/")[2]].append((key, entry.uri))
    noise = [file for _, file in sorted(found.pop(NOISE, []))]
    if split is None:
        for word, files in found.items():
            known = word if word in WORDS else UNKNOWN if word else None
            yield from (Clip(key, file, known, "", 0.0, False) for key, file in files)
        return
    held, lists = split == "eval", listed(uri)
    wanted_part = aside if held else "training"

    def part(word: str, name: str) -> Part:
        return lists.get(f"{word}/{name}", "training") if lists else part_of(name)

    mine = {
        word: [(key, file) for key, file in sorted(files) if part(word, file.rpartition("/")[2]) == wanted_part]
        for word, files in found.items()
    }
    wanted = [(word, key, file) for word in WORDS for key, file in mine.get(word, [])]
    if not wanted:
        raise BadInputError(f"{uri!r} has no files of the {split} split in folders called {', '.join(WORDS)}.")
    share = -(-int(len(wanted) * SHARE * 1000) // 1000)
    others = sorted(
        (_chance(key), key, file) for word, files in mine.items() if word not in WORDS for key, file in files
    )
    wanted += [(UNKNOWN, key, file) for _, key, file in others[:share]]
    for word, key, file in wanted:
        brought = "" if held or not noise else noise[int(_chance(f"noise {key}") * len(noise))]
        yield Clip(key, file, word, brought, _chance(key), held)
    for number in range(share if noise else 0):
        key = f"{SILENCE}/{split}-{number:05d}"
        file = noise[number % len(noise)]
        yield Clip(key, file, SILENCE, "" if held else file, _chance(key), held)


def _chance(key: str) -> float:
    return int(hashlib.sha256(key.encode()).hexdigest()[:8], 16) / 2**32


@dataclass(frozen=True)
class ReadClips:
    """Runs in executors: numbers of parts in, their rows out.

    Args:
        parts: What each number stands for.
    """

    parts: tuple[tuple[Clip, ...], ...]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for number in batch.column(0).to_pylist():
                yield _rows(self.parts[number])


def _rows(clips: Sequence[Clip]) -> pa.RecordBatch:
    rows = [_row(clip) for clip in clips]
    sounds, noise, faults = zip(*rows, strict=True)
    texts = {
        "path": [clip.key for clip in clips],
        "word": [clip.word for clip in clips],
        RAW: [clip.file for clip in clips],
        SOURCE: [clip.file for clip in clips],
        FAULT: faults,
    }
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    columns |= {"sound": pa.array(sounds, pa.binary()), "noise": pa.array(noise, pa.binary())}
    return pa.RecordBatch.from_pydict(
        {name: columns[name] for name in ("path", "sound", "noise", "word", RAW, SOURCE, FAULT)}
    )


def _row(clip: Clip) -> tuple[bytes | None, bytes | None, str | None]:
    """Returns sound, noise, and what is wrong."""
    try:
        noise = _piece(clip.noise, clip.chance, held_out=False) if clip.noise else None
        if clip.word == SILENCE:
            quiet = _piece(clip.file, clip.chance, held_out=clip.held_out) * _chance(f"volume {clip.key}")
            sound = wav_bytes(quiet, RATE)
        else:
            sound = storage.read_bytes(clip.file)
    except SoundError as error:
        return None, None, f"its background noise {error}"
    return sound, None if noise is None else wav_bytes(noise, RATE), None


def _piece(file: str, chance: float, *, held_out: bool) -> NDArray[np.float64]:
    """Returns a second of a recording."""
    recording = _recording(file)
    edge = int(len(recording) * 0.8)
    part = recording[edge:] if held_out else recording[:edge]
    start = int(chance * max(1, len(part) - SAMPLES))
    piece = part[start : start + SAMPLES]
    return np.pad(piece, (0, SAMPLES - len(piece)))


@lru_cache(maxsize=16)
def _recording(file: str) -> NDArray[np.float64]:
    """Returns a file as the official ones are: one channel of 16 bits at 16,000 samples per second."""
    data = storage.read_bytes(file)
    header = read_header(data)
    if (header.rate, header.channels, header.bits) != (RATE, 1, 16):
        raise SoundError(
            f"has '{header.channels}' channels of '{header.bits}' bits at '{header.rate}', not 1 of 16 at 16000"
        )
    with wave.open(io.BytesIO(data)) as recording:
        return np.frombuffer(recording.readframes(header.samples), "<i2") / 32768


def streamed(uri: str, seconds: int, *, seed: int, apart: float = 3.0) -> tuple[NDArray[np.float64], list[Word]]:
    """Returns a long recording of held-out words over background noise, and when each of them begins.

    Args:
        uri: The folder of the folders; its files have `RATE`.
        seconds: How long.
        seed: Which words, where they are, and the noise follow from it.
        apart: Seconds from word to word, about.
    """
    generator = np.random.default_rng(seed)
    clips = [clip for clip in chosen(uri, "eval") if clip.word != SILENCE]
    noise = [_recording(clip.file) for clip in chosen(uri, "eval") if clip.word == SILENCE]
    recording = np.zeros(seconds * RATE)
    if noise:
        long = np.concatenate([one[int(len(one) * 0.8) :] for one in noise])
        recording += 0.1 * np.resize(long, len(recording))
    said = []
    place = RATE
    while place + SAMPLES < len(recording):
        clip = clips[int(generator.integers(len(clips)))]
        samples = _recording(clip.file)[:SAMPLES]
        recording[place : place + len(samples)] += samples
        said.append(Word(place * 1000 / RATE, str(clip.word)))
        place += int(RATE * apart * generator.uniform(0.8, 1.2))
    return np.clip(recording, -1, 1), said


def noises(generator: np.random.Generator, seconds: int) -> dict[str, NDArray[np.float64]]:
    """Returns synthetic background noise: a hum, a hiss, and crackling."""
    count = seconds * RATE
    hum = sum(np.sin(2 * np.pi * hertz * np.arange(count) / RATE) / hertz for hertz in (50, 100, 150, 250)) * 10
    crackle = np.where(generator.random(count) < 0.002, generator.normal(0, 1, count), 0.0)
    hiss = generator.normal(0, 0.2, count)
    return {"hum": np.asarray(hum) + hiss * 0.05, "hiss": hiss, "crackle": crackle + hiss * 0.05}
