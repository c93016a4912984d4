"""Speech Commands' layout: the official rule of held-out speakers, unknown words, silence, and the noise of a row."""

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.sounds.wav import read_header, wav_bytes
from emberline.features.validation.rows import check_rows
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.audio import speech_commands
from emberline.pipelines.datasets.audio.speech_commands import (
    DATASET,
    NOISE,
    SAMPLES,
    SILENCE,
    UNKNOWN,
    WORDS,
    chosen,
    part_of,
    streamed,
)

SOUND = wav_bytes(np.full(100, 0.5), 16_000)
SPEAKERS = [hashlib.sha1(str(number).encode()).hexdigest()[:8] for number in range(40)]


def official_rule(name: str) -> str:
    """`which_set` of the data set's authors, word for word."""
    base_name = name
    hash_name = re.sub(r"_nohash_.*$", "", base_name)
    hash_name_hashed = hashlib.sha1(hash_name.encode()).hexdigest()
    percentage_hash = (int(hash_name_hashed, 16) % (2**27 - 1 + 1)) * (100.0 / (2**27 - 1))
    return "validation" if percentage_hash < 10 else "testing" if percentage_hash < 20 else "training"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("speech")
    for word in (*WORDS[:5], "bed", "cat"):
        (found / word).mkdir()
        for speaker in SPEAKERS:
            (found / word / f"{speaker}_nohash_0.wav").write_bytes(SOUND)
    (found / NOISE).mkdir()
    ramp = np.linspace(-0.5, 0.5, 10 * SAMPLES)
    (found / NOISE / "ramp.wav").write_bytes(wav_bytes(ramp, 16_000))
    return found


def test_speakers_are_held_out_by_the_official_rule() -> None:
    names = [f"{hashlib.sha1(str(number).encode()).hexdigest()[:8]}_nohash_{number % 3}.wav" for number in range(500)]
    assert [part_of(name) for name in names] == [official_rule(name) for name in names]
    assert {part_of(name) for name in names} == {"training", "validation", "testing"}


def test_ten_words_some_others_and_silence(folder: Path) -> None:
    for split in ("train", "eval"):
        clips = list(chosen(str(folder), split))
        assert len({clip.key for clip in clips}) == len(clips)
        words = [clip.word for clip in clips]
        wanted = [clip for clip in clips if clip.word in WORDS]
        part = {"train": "training", "eval": "testing"}[split]
        assert {official_rule(clip.file.rpartition("/")[2]) for clip in wanted} == {part}, "validation is left out"
        assert len(wanted) == 5 * sum(official_rule(f"{speaker}_nohash_0.wav") == part for speaker in SPEAKERS)
        share = -(-len(wanted) // 10)
        assert words.count(UNKNOWN) == words.count(SILENCE) == share
        assert all(("/bed/" in clip.file or "/cat/" in clip.file) == (clip.word == UNKNOWN) for clip in clips)
        assert all(bool(clip.noise) == (split == "train") for clip in clips)
    assert list(chosen(str(folder), "train")) == list(chosen(str(folder), "train"))
    everything = list(chosen(str(folder), None))
    assert len(everything) == 7 * len(SPEAKERS)
    assert {clip.word for clip in everything} == {*WORDS[:5], UNKNOWN}


def test_the_validation_tenth_can_be_held_out_instead(folder: Path) -> None:
    files = {
        split: {clip.file.rpartition("/")[2] for clip in chosen(str(folder), split, "validation") if clip.word in WORDS}
        for split in ("train", "eval")
    }
    assert {official_rule(name) for name in files["eval"]} == {"validation"}
    assert {official_rule(name) for name in files["train"]} == {"training"}
    assert load_dataset("speech_commands_validation").schema == DATASET.schema


def test_official_lists_are_followed(folder: Path, tmp_path: Path) -> None:
    for word in ("yes", "bed"):
        shutil.copytree(folder / word, tmp_path / word)
    names = [f"{speaker}_nohash_0.wav" for speaker in SPEAKERS]
    for part, some in (("testing", names[:3]), ("validation", names[3:8])):
        listed = "".join(f"{word}/{name}\n" for word in ("yes", "bed") for name in some)
        (tmp_path / f"{part}_list.txt").write_text(listed)
    found = {
        split: {clip.file.rpartition("/")[2] for clip in chosen(str(tmp_path), split) if clip.word == "yes"}
        for split in ("train", "eval")
    }
    assert found == {"train": set(names[8:]), "eval": set(names[:3])}


def test_rows_bring_sound_and_noise(spark: SparkSession, folder: Path) -> None:
    rows = check_rows(DATASET.read(spark, str(folder), "train"), DATASET.schema, labelled=True).collect()
    assert {row["reason"] for row in rows} == {None}
    for row in rows:
        assert read_header(bytes(row["noise"])).samples == SAMPLES
        values = np.frombuffer(bytes(row["noise"])[44:], "<i2") / 32768
        assert values.max() < 0.3 + 1e-4, "the last fifth of a recording is for held-out silence"
    quiet = [row for row in rows if row["word"] == 0]
    assert len({bytes(row["sound"]) for row in quiet}) == len(quiet)
    held = check_rows(DATASET.read(spark, str(folder), "eval"), DATASET.schema, labelled=True).collect()
    assert all(row["noise"] is None for row in held)
    silence = [np.frombuffer(bytes(row["sound"])[44:], "<i2") / 32768 for row in held if row["word"] == 0]
    assert silence
    assert min(values.min() for values in silence) >= 0


def test_a_folder_without_the_words_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "bed").mkdir()
    (tmp_path / "bed" / "a_nohash_0.wav").write_bytes(SOUND)
    with pytest.raises(BadInputError, match="has no files of the train split"):
        DATASET.read(spark, str(tmp_path), "train")
    with pytest.raises(BadInputError, match="does not exist"):
        DATASET.read(spark, str(tmp_path / "nowhere"), "train")


def test_the_stand_in_has_the_official_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speech_commands, "SPEAKERS", 12)
    DATASET.generate(str(tmp_path), seed=1)
    assert {entry.name for entry in tmp_path.iterdir() if entry.is_dir()} == {*WORDS, *speech_commands.OTHERS, NOISE}
    assert len(list(tmp_path.glob("yes/*_nohash_0.wav"))) == 12
    assert all(read_header(file.read_bytes()).samples == SAMPLES for file in tmp_path.glob("up/*.wav"))


def test_a_long_recording_says_when_words_begin(folder: Path) -> None:
    samples, said = streamed(str(folder), 30, seed=3)
    assert len(samples) == 30 * 16_000
    assert 7 <= len(said) <= 13
    assert {word.label for word in said} <= {*WORDS[:5], UNKNOWN}
    for word in said:
        begin = round(word.milliseconds * 16)
        assert samples[begin : begin + 100].mean() - samples[begin - 100 : begin].mean() == pytest.approx(0.5, abs=0.05)
    assert streamed(str(folder), 30, seed=3)[1] == said
