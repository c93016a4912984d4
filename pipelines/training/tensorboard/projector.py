"""What TensorBoard's projector reads: embedding tables with the word of each vector, and places of held-out rows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from emberline.features import storage
from emberline.features.columns import Column, Embedding, Segments, Vocabulary
from emberline.features.names import safe_name
from emberline.features.statistics import Statistics
from emberline.models.embedding_table import rows_of
from emberline.pipelines.tasks.embedding import Embedding as Places
from emberline.pipelines.training.step.training_step import TrainingStep
from emberline.pipelines.training.tensorboard.image_grid import grid

ROWS = 10_000
"""The projector draws every row of a table in the browser."""

PLACED_ROWS = 1_000
"""Held-out rows whose places are shown, each with its picture."""

Words = Mapping[str, Sequence[str]]


class Placed(NamedTuple):
    """Held-out rows, and where an embedding network puts them.

    Args:
        vectors: `[rows, width]`.
        labels: What each row is.
        pictures: `[rows, height, width, channels]`, 0 to 255; None where rows have no picture.
    """

    vectors: NDArray[np.float32]
    labels: Sequence[str]
    pictures: NDArray[np.uint8] | None


def words_of_tables(columns: Iterable[Column], statistics: Statistics) -> Words:
    """Returns the words of the first ids of tables whose ids come from a vocabulary, by name of column or table."""
    found: dict[str, Sequence[str]] = {}
    for column in columns:
        if isinstance(column, Embedding) and isinstance(column.source, Vocabulary | Segments):
            found.setdefault(column.table or column.name, words_of(column.source, statistics, ROWS))
    return found


def words_of(source: Vocabulary | Segments, statistics: Statistics, at_most: int = 0) -> list[str]:
    """Returns the words of the first ids of a vocabulary.

    Args:
        source: The vocabulary.
        statistics: What was learned of it.
        at_most: So many words; 0 for all.
    """
    vocabulary = source.words if isinstance(source, Segments) else source
    count = vocabulary.word_count(statistics)
    count = min(count, at_most) if at_most else count
    if vocabulary.words:
        return [str(word) for word in vocabulary.words[:count]]
    lines = storage.read_text(vocabulary.file or statistics.vocabulary_uri(vocabulary.field)).split("\n")[:count]
    counted = not vocabulary.file or isinstance(source, Segments)
    return [line.rpartition("\t")[0] if counted else line for line in lines]


def placed(step: TrainingStep, batches: Iterable[Any]) -> Placed | None:
    """Returns where a network puts the first of some rows; None for one whose predictions are no places.

    Args:
        step: Has the network.
        batches: Features and labels of rows.
    """
    if not isinstance(step.task, Places):
        return None
    vectors, labels, pictures = [], [], []
    with step.averaged():
        for features, label, *_ in batches:
            vectors.append(step.predict(features)["embedding"].numpy())
            labels.append(label.numpy().astype(int))
            pictures.append([value.numpy() for value in features.values() if value.dtype == tf.uint8])
            if sum(map(len, labels)) >= PLACED_ROWS:
                break
    seen = [np.concatenate(same)[:PLACED_ROWS] for same in zip(*pictures, strict=True)]
    names = [step.task.labels[label] for label in np.concatenate(labels)[:PLACED_ROWS]]
    return Placed(np.concatenate(vectors)[:PLACED_ROWS], names, seen[0] if seen else None)


def write(folder: str, model: keras.Model, words: Words, placed: Placed | None = None) -> None:
    """Writes the first rows of every table of a network, held-out rows, and `projector_config.pbtxt` about them.

    Args:
        folder: URI of the event files.
        model: Its embedding layers end with the name of their column or table.
        words: By that name.
        placed: Of a network whose predictions are places.
    """
    entries = []
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Embedding) or layer.output_dim < 2:
            continue  # the weights of a linear tower are no vectors
        # Read whole, a large table would be copied.
        rows = rows_of(layer.embeddings.value, tf.range(min(ROWS, layer.input_dim))).numpy()
        named = [name for name in words if layer.name.endswith(safe_name(name))]
        known = list(words[max(named, key=len)]) if named else []
        unseen = [f"unseen {number}" for number in range(len(rows) - len(known))]
        entries.append(_tensor(folder, layer.name, rows, known + unseen if named else []))
    if placed:
        entries.append(_tensor(folder, "held-out", placed.vectors, placed.labels, placed.pictures))
    if entries:
        _write_lines(storage.join(folder, "projector_config.pbtxt"), entries)


def _tensor(
    folder: str,
    name: str,
    rows: NDArray[np.float32],
    labels: Sequence[str],
    pictures: NDArray[np.uint8] | None = None,
) -> str:
    """Writes vectors with what they are called and look like; the entry about them."""
    _write_lines(storage.join(folder, f"{name}.tsv"), ["\t".join(f"{x:.6g}" for x in row) for row in rows])
    entry = f'  tensor_name: "{name}"\n  tensor_path: "{name}.tsv"\n'
    if labels:
        plain = [label.replace("\t", " ").replace("\n", " ") for label in labels]
        _write_lines(storage.join(folder, f"{name}-labels.tsv"), plain)
        entry += f'  metadata_path: "{name}-labels.tsv"\n'
    if pictures is not None:
        sheet = grid((pictures / 255).astype(np.float32), gap=0)
        storage.write_bytes_atomic(storage.join(folder, f"{name}.png"), sheet)
        height, width = pictures.shape[1:3]
        size = f"single_image_dim: {width} single_image_dim: {height}"
        entry += f'  sprite {{ image_path: "{name}.png" {size} }}\n'
    return f"embeddings {{\n{entry}}}"


def _write_lines(uri: str, lines: Sequence[str]) -> None:
    storage.write_text_atomic(uri, "\n".join(lines) + "\n")
