"""Files of sounds through the ETL: spectra in shards, statistics of what was heard, damage put aside."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from emberline.features.columns import Column, Spectrum, stored
from emberline.features.dataset_version import open_version
from emberline.features.sounds.wav import wav_bytes
from emberline.features.tfrecord.layouts import read_shard
from emberline.features.transform import TransformGraph
from emberline.pipelines.datasets.readers.sound_folder import SoundFolder
from emberline.pipelines.etl import EtlResult, etl
from emberline.pipelines.preparation import checked_data
from emberline.pipelines.recipe import Optimizer, Preparation, Recipe, Training

OPEN = Spectrum("sound", 8000, 256, 128, mels=20)


@dataclass(frozen=True)
class Network:
    """What a recipe asks of one; the ETL builds none."""

    sound: Spectrum
    outputs: int = 1

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.sound,)


def sound(index: int, step: float) -> np.ndarray:
    """A tone and some noise: logarithms of what is hardly there would be of rounding errors."""
    length = 1000 + 300 * index
    return 0.5 * np.sin(np.arange(length) * step) + np.random.default_rng(index).normal(0, 0.01, length)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("words")
    for split, count in (("train", 12), ("test", 2)):
        for word, step in (("high", 0.9), ("low", 0.1)):
            (found / split / word).mkdir(parents=True)
            for index in range(count):
                rate = 16_000 if index == 5 else 8000
                (found / split / word / f"{index}.wav").write_bytes(wav_bytes(sound(index, step), rate))
    (found / "train" / "low" / "damaged.wav").write_bytes(b"RIFF....WAVE")
    return found


@pytest.fixture(scope="module")
def version(spark: SparkSession, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> EtlResult:
    recipe = Recipe(
        "words", "", "words", Network(OPEN), Training((Optimizer("sgd", 0.1),), 1, 2), Preparation(shards=2)
    )
    patch = pytest.MonkeyPatch()
    patch.setattr(checked_data, "load_dataset", lambda name: SoundFolder("words", ("high", "low")))
    try:
        return etl(spark, recipe, str(folder), str(tmp_path_factory.mktemp("made") / "version"))
    finally:
        patch.undo()


def test_shards_hold_what_the_graph_says_of_the_files(version: EtlResult, folder: Path) -> None:
    import tensorflow as tf

    assert version.records == {"train": 24, "eval": 4}
    found = open_version(version.dataset)
    graph = TransformGraph(found.schema, stored((OPEN,)), found.statistics)
    seen = 0
    for split in ("train", "eval"):
        for shard in found.split(split).shards:
            for batch in read_shard(f"{version.dataset}/{split}", found.split(split), shard):
                for row in batch.to_pylist():
                    heard = graph({"sound": tf.constant([(folder / row["path"]).read_bytes()])})["sound"][0].numpy()
                    np.testing.assert_allclose(row["sound"], heard, rtol=1e-4, atol=1e-3)
                    seen += 1
    assert seen == 28


def test_statistics_tell_length_rate_and_level(version: EtlResult) -> None:
    facts = open_version(version.dataset).statistics.of("sound")
    assert (facts.count, facts.missing) == (24, 0)
    assert facts.sound is not None
    seconds = [(1000 + 300 * index) / (16_000 if index == 5 else 8000) for index in range(12)]
    assert facts.sound.seconds == pytest.approx((min(seconds), np.mean(seconds), max(seconds)), abs=1e-5)
    assert facts.sound.rates == pytest.approx((8000, 104_000 / 12, 16_000), abs=1e-5)
    levels = [10 * np.log10(np.mean(sound(index, step) ** 2)) for index in range(12) for step in (0.1, 0.9)]
    assert facts.sound.levels == pytest.approx((min(levels), np.mean(levels), max(levels)), abs=1e-3)


def test_what_is_damaged_is_kept_with_its_reason(version: EtlResult) -> None:
    assert version.rows_rejected == 1
    rejected = pq.read_table(f"{version.dataset}/rejected").to_pylist()
    assert [(row["split"], row["reason"]) for row in rejected] == [
        ("train", "sound: is not a sound that can be read: it breaks off before its samples")
    ]
    assert rejected[0]["source"].endswith("train/low/damaged.wav")
    assert "mean length" in Path(f"{version.dataset}/profile.html").read_text()
