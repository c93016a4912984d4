"""The reader of folders of sounds: keys, labels, splits, and what is damaged."""

from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.features.sounds.wav import read_header, wav_bytes
from emberline.features.validation.rows import check_rows, fault_counts
from emberline.pipelines.datasets.audio import spoken_digits, spoken_digits_by_speaker
from emberline.pipelines.datasets.readers.sound_folder import Names, SoundFolder
from emberline.pipelines.datasets.splits import is_held_out

SOUND = wav_bytes(np.sin(np.arange(400) / 5), 8000)


def write(folder: Path, *names: str, data: bytes = SOUND) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def test_a_folder_is_a_label_and_a_tenth_is_held_out(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, *(f"{word}/{index}.wav" for word in ("yes", "no") for index in range(30)), "yes/9.WAV", "yes/a.txt")
    dataset = SoundFolder("words", ("yes", "no"))
    rows = {split: dataset.read(spark, str(tmp_path), split).collect() for split in ("train", "eval")}
    assert {row["path"]: row["label"] for split in rows.values() for row in split} == {
        f"{word}/{index}.wav": word for word in ("yes", "no") for index in range(30)
    } | {"yes/9.WAV": "yes"}
    assert all(is_held_out(row["path"]) for row in rows["eval"])
    assert not any(is_held_out(row["path"]) for row in rows["train"])
    write(tmp_path, "test/no/1.wav", "train/no/1.wav")
    assert [row["path"] for row in dataset.read(spark, str(tmp_path), "eval").collect()] == ["test/no/1.wav"]


def test_names_say_digit_speaker_and_take(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "3_george_4.wav", "3_george_5.wav", "7_mary_ann_0.wav", "1_lucas_44.wav", "whatever.wav")
    dataset = spoken_digits.DATASET
    rows = {row["path"]: row for row in dataset.read(spark, str(tmp_path)).collect()}
    assert rows["7_mary_ann_0.wav"].asDict().items() >= {"digit": "7", "speaker": "mary_ann", "take": "0"}.items()
    assert rows["whatever.wav"]["digit"] is None
    assert "folder" not in rows["whatever.wav"].asDict()
    held = {row["path"] for row in dataset.read(spark, str(tmp_path), "eval").collect()}
    assert held == {"3_george_4.wav", "7_mary_ann_0.wav"}
    held = {row["path"] for row in spoken_digits_by_speaker.DATASET.read(spark, str(tmp_path), "eval").collect()}
    assert held == {"1_lucas_44.wav"}
    hashed = SoundFolder("digits", spoken_digits.DIGITS, Names(spoken_digits.PATTERN, spoken_digits.PARTS, "speaker"))
    held = {row["speaker"] or row["path"] for row in hashed.read(spark, str(tmp_path), "eval").collect()}
    assert held == {who for who in ("george", "mary_ann", "lucas", "whatever.wav") if is_held_out(who)}


def test_what_is_damaged_is_rejected_and_counted(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path, "yes/good.wav")
    write(tmp_path, "yes/cut.wav", data=SOUND[:-7])
    write(tmp_path, "no/empty.wav", data=b"")
    write(tmp_path, "no/text.wav", data=b"no sound at all")
    dataset = SoundFolder("words", ("yes", "no"))
    rows = check_rows(dataset.read(spark, str(tmp_path)), dataset.schema, labelled=True).collect()
    reasons = {row["path"]: row["reason"] for row in rows}
    assert reasons == {
        "yes/good.wav": None,
        "yes/cut.wav": "sound: is not a sound that can be read: it breaks off: it has '793' of '800' bytes of samples",
        "no/empty.wav": "sound: is not a sound that can be read: it is empty",
        "no/text.wav": "sound: is not a sound that can be read: it is no WAV file",
    }
    assert bytes(next(row["sound"] for row in rows if row["path"] == "yes/good.wav")) == SOUND
    counted = fault_counts({reason: 1 for reason in reasons.values() if reason}, dataset.schema)
    assert counted == {("sound", "type"): 3}


def test_made_up_digits_are_said_by_three_voices(tmp_path: Path) -> None:
    facts = spoken_digits.DATASET.generate(str(tmp_path), seed=1)
    files = sorted(tmp_path.glob("*.wav"))
    assert len(files) == 10 * len(spoken_digits.SPEAKERS) * spoken_digits.TAKES
    assert {read_header(file.read_bytes()).rate for file in files} == {8000}
    assert 0.9 <= facts.best["accuracy"] <= 1
    assert spoken_digits.DATASET.synthetic(str(tmp_path)) == facts


def test_what_cannot_be_read_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    dataset = SoundFolder("words", ("yes", "no"))
    with pytest.raises(BadInputError, match="Give a folder of WAV files"):
        dataset.read(spark, str(tmp_path / "nowhere"))
    with pytest.raises(BadInputError, match="no synthetic stand-in"):
        dataset.generate(str(tmp_path), seed=1)
    with pytest.raises(BadInputError, match="held out by 'day'"):
        Names(r"(\d)", ("label",), "day")
