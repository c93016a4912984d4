"""Checkpoints in TensorFlow's own format, any storage: written locally, uploaded whole, marked complete last."""

import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import tensorflow as tf

from features import storage
from features.errors import BadInputError
from pipelines.training.position import Position

PREFIX = "variables"
COMPLETE = "position.json"


def save(folder: str, variables: Mapping[str, tf.Variable], position: Position, keep: int) -> str:
    """Writes one checkpoint and forgets the oldest.

    Args:
        folder: URI of the checkpoints.
        variables: By name; the names are those `tf.train.load_checkpoint` will list.
        position: Where the training stands.
        keep: Checkpoints that remain, this one included.

    Returns:
        URI of the new checkpoint.
    """
    target = storage.join(folder, f"step-{position.step:010d}")
    with tempfile.TemporaryDirectory() as scratch:
        names = list(variables)
        tf.raw_ops.SaveV2(
            prefix=str(Path(scratch) / PREFIX),
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.convert_to_tensor(variables[name]) for name in names],
        )
        storage.delete(target)
        for file in sorted(Path(scratch).iterdir()):
            storage.write_bytes_atomic(storage.join(target, file.name), file.read_bytes())
    storage.write_bytes_atomic(storage.join(target, COMPLETE), json.dumps(asdict(position)).encode())
    for old in complete(folder)[:-keep]:
        storage.delete(old)
    return target


def complete(folder: str) -> list[str]:
    """URIs of the checkpoints that were written to their end, oldest first."""
    if not storage.exists(folder):
        return []
    files = storage.list_files(folder, recursive=True)
    steps = {match[0] for file in files if (match := re.search(r"step-\d{10}(?=/)", file.uri))}
    targets = [storage.join(folder, step) for step in sorted(steps)]
    return [target for target in targets if storage.exists(storage.join(target, COMPLETE))]


def restore(checkpoint: str, variables: Mapping[str, tf.Variable]) -> Position:
    """Assigns every variable its saved value.

    Args:
        checkpoint: URI that `complete` gave.
        variables: By the names they were saved under.

    Raises:
        BadInputError: if a variable is in one of the two only, or has another shape, naming all of them.
    """
    with tempfile.TemporaryDirectory() as scratch:
        storage.copy_folder(checkpoint, scratch)
        reader = tf.train.load_checkpoint(str(Path(scratch) / PREFIX))
        saved = reader.get_variable_to_shape_map()
        have = {name: variable.shape.as_list() for name, variable in variables.items()}
        faults = [
            f"{name} is {saved.get(name, 'not there')} in the checkpoint and {have.get(name, 'not there')} in the model"
            for name in sorted(saved.keys() | have.keys())
            if saved.get(name) != have.get(name)
        ]
        if faults:
            raise BadInputError(
                f"The checkpoint {checkpoint} does not fit the model: {'; '.join(faults)}. "
                "Train into another output, or restore the recipe it was trained with."
            )
        for name, variable in variables.items():
            variable.assign(reader.get_tensor(name))
        position = json.loads((Path(scratch) / COMPLETE).read_text())
    return Position.from_json(position)
