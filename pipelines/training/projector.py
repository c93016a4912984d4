"""Embedding tables as the files that TensorBoard's projector reads: vectors, and the word of each."""

from collections.abc import Iterable, Mapping, Sequence

import keras
import tensorflow as tf

from features import storage
from features.columns import Column, Embedding, Segments, Vocabulary
from features.statistics import Statistics

ROWS = 10_000
"""The projector draws every row of a table in the browser."""

Words = Mapping[str, Sequence[str]]


def words_of_tables(columns: Iterable[Column], statistics: Statistics) -> Words:
    """The words behind the first ids of tables whose ids come from a vocabulary, by the name of column or table."""
    found: dict[str, Sequence[str]] = {}
    for column in columns:
        if isinstance(column, Embedding) and isinstance(column.source, Vocabulary | Segments):
            found.setdefault(column.table or column.name, words_of(column.source, statistics, ROWS))
    return found


def words_of(source: Vocabulary | Segments, statistics: Statistics, at_most: int = 0) -> list[str]:
    """The words of the first ids of a vocabulary.

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


def write_tables(folder: str, model: keras.Model, words: Words) -> None:
    """Writes the first rows of every table of a network, and `projector_config.pbtxt`.

    Args:
        folder: URI of the event files.
        model: Its embedding layers end with the name of their column or table.
        words: By that name.
    """
    entries = []
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Embedding) or layer.output_dim < 2:
            continue  # the weights of a linear tower are no vectors
        rows = tf.convert_to_tensor(layer.embeddings.value)[:ROWS].numpy()
        _write_lines(storage.join(folder, f"{layer.name}.tsv"), ["\t".join(f"{x:.6g}" for x in row) for row in rows])
        entry = f'  tensor_name: "{layer.name}"\n  tensor_path: "{layer.name}.tsv"\n'
        named = [name for name in words if layer.name.endswith(name)]
        if named:
            known = words[max(named, key=len)]
            labels = [word.replace("\t", " ").replace("\n", " ") for word in known]
            labels += [f"unseen {number}" for number in range(len(rows) - len(labels))]
            _write_lines(storage.join(folder, f"{layer.name}-words.tsv"), labels)
            entry += f'  metadata_path: "{layer.name}-words.tsv"\n'
        entries.append(f"embeddings {{\n{entry}}}")
    if entries:
        _write_lines(storage.join(folder, "projector_config.pbtxt"), entries)


def _write_lines(uri: str, lines: Sequence[str]) -> None:
    storage.write_text_atomic(uri, "\n".join(lines) + "\n")
