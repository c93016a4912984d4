"""Checkpoints in TensorFlow's own format, any storage: written locally, uploaded whole, marked complete last."""

import errno
import json
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.recipe.interval import Interval
from emberline.pipelines.training.checkpoint.position import Position

PREFIX = "variables"
COMPLETE = "position.json"
OWNER = "owner"
"""Names the process that writes checkpoints here; a later attempt puts its own name there."""

Value: TypeAlias = tf.Variable | npt.NDArray[Any]


class FencedError(RuntimeError):
    """A process that was cut off, and whose training another attempt continues; it must not write any more."""


class CheckpointError(OSError):
    """A checkpoint that could not be written for lack of space; the ones before it are complete."""


def save(folder: str, variables: Mapping[str, Value], position: Position, keep: int, owner: str = "") -> str:
    """Writes one checkpoint and forgets old ones.

    Args:
        folder: URI of the checkpoints.
        variables: By name; the names are those `tf.train.load_checkpoint` will list.
        position: Where the training stands.
        keep: Latest checkpoints that remain, this one included; the one of the best epoch remains as well.
        owner: The name by which `own` made the folder this process's; empty to write in any case.

    Returns:
        URI of the new checkpoint.

    Raises:
        CheckpointError: if there is no space left, here or at `folder`.
        ConnectionError: if the store failed in another way, which may pass.
        FencedError: if another process owns the folder by now.
    """
    target = storage.join(folder, _name(position.step))
    try:
        _require_owned(folder, owner)
        _write(target, variables, position, lambda: _require_owned(folder, owner))
    except (OSError, tf.errors.OpError) as error:
        with suppress(OSError):
            storage.delete(target)
        if _is_full(error):
            raise CheckpointError(
                f"No space left for the checkpoint of step {position.step} in {folder} (or in {tempfile.gettempdir()}, "
                f"where it is made): {error}. The checkpoints before it are whole. Free space, or keep fewer "
                "(training.keep_checkpoints), and train again; it resumes."
            ) from error
        raise ConnectionError(f"The checkpoint of step {position.step} in {folder} failed: {error}") from error
    kept = {_name(position.best.step)} if position.best else set()
    for old in complete(folder)[:-keep]:
        if old.rpartition("/")[2] not in kept:
            storage.delete(storage.join(old, COMPLETE))  # first: half a checkpoint must not look like a whole one
            storage.delete(old)
    return target


def own(folder: str) -> str:
    """Makes a folder of checkpoints this process's, whoever owned it before; returns the name to save under."""
    owner = uuid.uuid4().hex
    storage.write_text_atomic(storage.join(folder, OWNER), owner)
    return owner


def _require_owned(folder: str, owner: str) -> None:
    if owner and storage.read_text(storage.join(folder, OWNER)) != owner:
        raise FencedError(
            f"Another attempt of this training writes its checkpoints to {folder} by now; this process was cut off "
            "from the driver, and ends."
        )


def of_step(folder: str, step: int) -> str:
    """Returns URI of the checkpoint of a step."""
    return storage.join(folder, _name(step))


def step_of(checkpoint: str) -> int:
    """Returns the step of a checkpoint's URI."""
    return int(checkpoint.rpartition("-")[2])


def _name(step: int) -> str:
    return f"step-{step:010d}"


def _write(
    target: str, variables: Mapping[str, Value], position: Position, before_complete: Callable[[], None]
) -> None:
    storage.delete(target)
    with tempfile.TemporaryDirectory() as scratch:
        names = list(variables)
        tf.raw_ops.SaveV2(
            prefix=str(Path(scratch) / PREFIX),
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.convert_to_tensor(variables[name]) for name in names],
        )
        for file in sorted(Path(scratch).iterdir()):
            storage.write_bytes_atomic(storage.join(target, file.name), file.read_bytes())
    before_complete()
    storage.write_bytes_atomic(storage.join(target, COMPLETE), json.dumps(asdict(position)).encode())


def _is_full(error: BaseException) -> bool:
    """Returns whether a disk or a quota is used up; TensorFlow says so in words only."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error)


class Writer:
    """Writes checkpoints in a thread of its own, from a copy of the variables: the training goes on meanwhile.

    One at a time; an error of one surfaces when the next begins, or at the end of the `with` block.

    Args:
        folder: URI of the checkpoints.
        variables: What they hold, by name.
        keep: Latest checkpoints that remain.
        every: What lies between two of them.
        owner: As of `save`.
    """

    def __init__(
        self, folder: str, variables: Mapping[str, tf.Variable], *, keep: int, every: Interval, owner: str = ""
    ) -> None:
        self._owner = owner
        self._folder = folder
        self._variables = variables
        self._keep = keep
        self._every = every
        self._last = time.monotonic()
        self._thread = ThreadPoolExecutor(1, "emberline-checkpoint")
        self._written: Future[str] | None = None

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        # A checkpoint begun before a failure is still good; its own error would only hide the first one.
        with suppress(*((OSError,) if error else ())):
            self.wait()
        self._thread.shutdown()

    def steps_until(self, position: Position, most: int) -> int:
        """Returns steps to the next checkpoint when steps are what counts, at most `most`."""
        return (
            min(most, self._every.amount - position.step % self._every.amount) if self._every.unit == "steps" else most
        )

    def is_due(self, position: Position) -> bool:
        """Returns whether a checkpoint should be taken here; the beginning of an epoch is the end of the one before."""
        match self._every.unit:
            case "epochs":
                return not position.legs and position.epoch % self._every.amount == 0
            case "steps":
                return position.step % self._every.amount == 0
            case "seconds":
                return time.monotonic() - self._last >= self._every.amount

    def save(self, position: Position) -> None:
        """Begins to write what the variables hold now.

        Raises:
            CheckpointError, ConnectionError: see `save`, of the one before.
            FloatingPointError: if a variable is not finite; a checkpoint never is.
        """
        self.wait()
        self._last = time.monotonic()
        values = {name: np.array(tf.convert_to_tensor(variable)) for name, variable in self._variables.items()}
        odd = [name for name, value in values.items() if value.dtype.kind == "f" and not np.isfinite(value).all()]
        if odd:
            raise FloatingPointError(
                f"After step {position.step:,} these variables are not finite: {', '.join(odd)}. Lower the learning "
                "rate, or clip gradients (training.clip_norm). The last checkpoint is from before."
            )
        self._written = self._thread.submit(save, self._folder, values, position, self._keep, self._owner)

    def wait(self) -> None:
        """Returns when what was begun is written.

        Raises:
            CheckpointError, ConnectionError: see `save`.
        """
        written = self._written
        self._written = None
        if written:
            written.result()


def complete(folder: str) -> list[str]:
    """Returns URIs of the checkpoints that were written to their end, oldest first."""
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
