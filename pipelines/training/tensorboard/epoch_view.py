"""What rank 0 shows of a training while it runs: TensorBoard's files, and pictures of held-out rows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.tasks.task import Pictured
from emberline.pipelines.training.input.batches import Batches
from emberline.pipelines.training.step.training_step import TrainingStep
from emberline.pipelines.training.tensorboard.event_files import Board
from emberline.pipelines.training.tensorboard.image_grid import grid
from emberline.pipelines.training.tensorboard.projector import words_of_tables

SHOWN_ROWS = 100
"""Held-out rows of which pictures are drawn at the end of an epoch."""


class EpochView:
    """Writes while it is open, and never ends a training: where files fail, no more are written.

    Args:
        recipe: What is trained.
        version: The dataset version, whose vocabularies name the rows of embedding tables.
        output: URI of the training's folder.
        report: Called with events.
    """

    def __init__(
        self, recipe: Recipe, version: DatasetVersion, output: str, report: Callable[[dict[str, Any]], None]
    ) -> None:
        self._recipe = recipe
        self._version = version
        self._output = output
        self._report = report
        self._board: Board | None = None

    @contextmanager
    def opened(self, step: TrainingStep, *, wanted: bool) -> Iterator[None]:
        """Opens TensorBoard's files for the block, if the recipe wants them.

        Args:
            step: Has the network's variables in this process.
            wanted: Whether this process is the one that writes.
        """
        training = self._recipe.training
        if not wanted or not training.tensorboard:
            yield
            return
        words = words_of_tables(self._recipe.model.columns, self._version.statistics)
        self._board = Board(storage.join(self._output, "tensorboard"), step, words, training.profile_steps)
        try:
            self._write(Board.graph)
            yield
        finally:
            self._write(Board.close)
            self._board = None

    def call(self, step: int, scalars: Mapping[str, float]) -> None:
        """Shows scalars behind a graph call, `step` steps into the training."""
        self._write(Board.call, step, scalars)

    def epoch(self, number: int, steps: int, metrics: Mapping[str, float], step: TrainingStep, rows: Batches) -> None:
        """Shows an epoch's end.

        Args:
            number: Epochs done.
            steps: Steps done.
            metrics: Of the epoch.
            step: Has the network's variables in this process.
            rows: Of which held-out ones are looked at.
        """
        if self._board:
            self._write(Board.epoch, steps, metrics, rows.evaluation())
        if isinstance(step.task, Pictured):
            self._draw(number, step, step.task, rows)

    def _draw(self, number: int, step: TrainingStep, task: Pictured, rows: Batches) -> None:
        """Pictures of what the network makes of a few held-out rows."""
        with step.averaged():
            features, *_ = next(iter(rows.evaluation()))
            few = {name: value[:SHOWN_ROWS] for name, value in features.items()}
            uri = storage.join(self._output, "pictures", f"epoch-{number:04}.png")
            storage.write_bytes_atomic(uri, grid(task.pictures(step.raw_outputs(few)).numpy()))
        self._report({"event": "pictures", "uri": uri})

    def _write(self, write: Callable[..., None], *what: Any) -> None:
        if not self._board:
            return
        try:
            write(self._board, *what)
        except (OSError, tf.errors.OpError) as error:
            self._board = None
            self._report({"event": "note", "text": f"TensorBoard's files end here: {error}"})
