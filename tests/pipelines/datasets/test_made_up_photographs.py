"""Drawn faces and striped pictures: a reader who knows the rules reaches the best score, and nothing tells more."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from emberline.pipelines.datasets.images import face_drawings, faces_age, faces_gender, faces_persons, imagenet
from emberline.pipelines.datasets.images.face_drawings import AGES, draw, somebody


def read(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture).astype(float)


def is_woman(picture: np.ndarray) -> bool:
    """By red lips: a hundredth of the picture, or somewhat more or less, is of a red that is in no skin."""
    red, green, blue = np.moveaxis(picture, -1, 0)
    return 0.002 < float(np.mean((red > 4 * green) & (red > 2.5 * blue) & (red > 120))) < 0.05


def direction(picture: np.ndarray) -> int:
    """By the largest wave: which of the directions it runs in."""
    height, width, _ = picture.shape
    channel = picture[..., np.argmax(np.var(picture, axis=(0, 1)))]
    window = np.hanning(height)[:, np.newaxis] * np.hanning(width)
    power = np.abs(np.fft.fft2((channel - channel.mean()) * window, (512, 512)))
    down, across = (np.fft.fftfreq(512)[place] for place in np.unravel_index(np.argmax(power), power.shape))
    return round(float(np.arctan2(down, across)) % np.pi / np.pi * 10) % 10


def test_gender_can_be_read_off_a_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_drawings, "FILES", {"train": 20, "eval": 120})
    monkeypatch.setattr(face_drawings, "MISPLACED", 0.3)
    facts = faces_gender.DATASET.generate(str(tmp_path), seed=1)
    assert faces_gender.DATASET.synthetic(str(tmp_path)) == facts
    files = sorted(tmp_path.glob("eval/*/*.png"))
    right = [is_woman(read(file)) == (file.parent.name == "f") for file in files]
    assert len(files) == 120
    assert len(list(tmp_path.glob("train/*/*.png"))) == 20
    assert 0.7 < facts.best["accuracy"] < 0.95
    assert np.mean(right) == pytest.approx(facts.best["accuracy"], abs=0.02)


def test_with_age_eyes_get_smaller_and_lines_more() -> None:
    person = somebody(np.random.default_rng(2))
    faces = [draw(person, 1, age, np.random.default_rng(5)).astype(int) for age in range(len(AGES))]
    whites = [int(np.sum((face.min(axis=-1) > 180) & (np.ptp(face, axis=-1) < 30))) for face in faces[:6]]
    assert whites == sorted(whites, reverse=True)
    assert len(set(whites)) == 6
    changed = [int(np.sum(np.abs(one - other).max(axis=-1) > 20)) for one, other in pairwise(faces)]
    assert min(changed) > 20


def test_each_range_of_age_and_each_person_has_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(face_drawings, "FILES", {"train": 60, "eval": 5})
    ages = faces_age.DATASET.generate(f"{tmp_path}/ages", seed=1)
    persons = faces_persons.DATASET.generate(f"{tmp_path}/persons", seed=1)
    again = faces_persons.DATASET.generate(f"{tmp_path}/again", seed=1)
    assert {file.name for file in (tmp_path / "ages" / "train").iterdir()} == set(AGES)
    assert ages.best["accuracy"] <= 1
    names = {file.name for file in (tmp_path / "persons" / "train").iterdir()}
    assert names <= {f"person-{number:02d}" for number in range(20)}
    assert len(names) > 15
    assert persons.best == {}
    assert persons == again
    made = sorted((tmp_path / "persons").rglob("*.png"))
    assert all(file.read_bytes() == Path(str(file).replace("persons", "again")).read_bytes() for file in made)
    assert faces_persons.DATASET.schema.label.purpose == "embedding"


def test_stripes_say_which_class_of_imagenet_they_stand_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagenet, "FILES", {"train": 1, "val": 60})
    monkeypatch.setattr(imagenet, "MISPLACED", 0.3)
    best = imagenet.DATASET.generate(str(tmp_path), seed=1).best["accuracy"]
    files = sorted(tmp_path.glob("val/*/*.png"))
    right = [imagenet.CLASSES[direction(read(file))] == file.parent.name for file in files]
    assert len(files) == 60
    assert np.mean(right) == pytest.approx(best, abs=0.02)
