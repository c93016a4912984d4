"""Statistics of sounds: how long they last, at which rates they came, and how loud they are."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import log10
from typing import Any

import numpy as np
import pyarrow as pa

from emberline.features.analysis.partials import PARTIAL, gather, packed, partial, unpacked
from emberline.features.analysis.sources import Chunk, Rows, run_pass
from emberline.features.light_tensorflow import import_tensorflow
from emberline.features.python_worker import keep_out_of_collections, keep_to_own_cores
from emberline.features.schema import Field
from emberline.features.sounds.wav import read_header
from emberline.features.statistics import FieldStatistics, SoundStatistics

SILENCE = -100.0
"""Decibels of a sound without any."""

_SCALE = 1 << 20
"""Sums are of whole numbers: the same in whatever order they are added."""


def sound_statistics(rows: Rows, fields: Sequence[Field], total: int) -> dict[str, FieldStatistics]:
    """Returns what is known about sounds, by field, learned in one pass over them.

    Args:
        rows: Checked rows: sounds as WAV files.
        fields: The sounds.
        total: How many rows there are.
    """
    if not fields:
        return {}
    names = [field.name for field in fields]
    answers = gather(run_pass(rows, names, SoundPass(tuple(names)), PARTIAL), merge_sounds)
    return {name: _facts(answers.get(index), total) for index, name in enumerate(names)}


@dataclass(frozen=True)
class SoundPass:
    """Runs in executors.

    Args:
        names: Of the fields.
    """

    names: tuple[str, ...]

    def __call__(self, chunks: Iterator[Chunk]) -> Iterator[pa.RecordBatch]:
        for chunk in chunks:
            for index, name in enumerate(self.names):
                sounds = chunk.column(name).drop_null()
                if len(sounds):
                    facts = np.stack([_measured(sound.as_buffer()) for sound in sounds])
                    columns = (np.ones_like(facts[0]) * len(facts), facts.min(0), facts.sum(0), facts.max(0))
                    yield partial(index, _packed(columns))


def merge_sounds(_: int, partials: Iterator[pa.RecordBatch]) -> bytes:
    """Merges what `SoundPass` yields about one field, also in executors; returns it packed."""
    tables = [[column.to_numpy() for column in batch.columns] for batch in partials]
    counts, least, sums, most = (np.stack(column) for column in zip(*tables, strict=True))
    return _packed((counts.sum(0), least.min(0), sums.sum(0), most.max(0)))


def _packed(columns: Iterable[np.ndarray]) -> bytes:
    """Returns a row for each fact: how many there are, the least, the sum and the most."""
    return packed(
        {name: pa.array(column) for name, column in zip(("count", "least", "sum", "most"), columns, strict=True)}
    )


def _measured(sound: pa.Buffer) -> np.ndarray:
    """Returns the seconds, rate and level of a sound as the transform graph decodes it, in whole parts of `_SCALE`."""
    content = sound.to_pybytes()
    header = read_header(content)
    samples = _decoder(header.rate)(content).numpy().astype(np.float64)
    energy = float(np.mean(samples**2))
    level = max(SILENCE, 10 * log10(energy)) if energy else SILENCE
    return np.round(np.array([header.seconds, header.rate, level]) * _SCALE).astype(np.int64)


@lru_cache(maxsize=8)
def _decoder(rate: int) -> Callable[[bytes], Any]:
    """Returns the transform graph's own decoding, traced once: Spark's Python workers live on."""
    import_tensorflow()
    import tensorflow as tf

    from emberline.features.sounds.decoding import waveform

    keep_to_own_cores()

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def decode(content: tf.Tensor) -> tf.Tensor:
        return waveform(content, rate)

    keep_out_of_collections()
    return decode  # type: ignore[no-any-return]


def _facts(answer: bytes | None, total: int) -> FieldStatistics:
    if answer is None:
        return FieldStatistics(0, total)
    counts, least, sums, most = (column.to_numpy() for column in unpacked(answer).columns)
    count = int(counts[0])
    seconds, rates, levels = (
        (_figure(low), _figure(added / count), _figure(high))
        for low, added, high in zip(least, sums, most, strict=True)
    )
    return FieldStatistics(count, total - count, sound=SoundStatistics(seconds, rates, levels))


def _figure(value: float) -> float:
    return round(float(value) / _SCALE, 6)
