"""What a training shows in TensorBoard: event files in its folder, written by rank 0."""

import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping

import keras
import tensorflow as tf

from emberline.features import storage
from emberline.features.names import user_name
from emberline.pipelines.training.step.training_step import TrainingStep
from emberline.pipelines.training.tensorboard import projector
from emberline.pipelines.training.tensorboard.projector import Words

SECONDS_BETWEEN_SCALARS = 1.0
"""A small network does a hundred calls in this time, and nobody looks at each."""


class Board:
    """Scalars, histograms, graph, profile and embedding tables of one training.

    Args:
        folder: URI of the event files; written here first and then copied if it is not local.
        step: What is trained.
        words: Of embedding tables, see `projector`.
        profile: First and last step of the profile, empty for none.
    """

    def __init__(self, folder: str, step: TrainingStep, words: Words, profile: tuple[int, ...] = ()) -> None:
        self._uri = folder
        self._step = step
        self._words = words
        self._profile = profile
        self._scratch = None if storage.is_local(folder) else tempfile.mkdtemp(prefix="emberline-tensorboard-")
        self._folder = self._scratch or storage.local_path(folder)
        self._writer = tf.summary.create_file_writer(self._folder)
        self._last = 0.0
        self._profiling = False

    def graph(self) -> None:
        """Writes the graph of a prediction, from the inputs of the network."""
        specs = {
            user_name(item.name): tf.TensorSpec(item.shape, tf.as_dtype(item.dtype), item.name)
            for item in self._step.model.inputs
        }
        model = self._step.model
        traced = tf.function(lambda inputs: model(inputs, training=False)).get_concrete_function(specs)
        with self._writer.as_default(step=0):
            tf.summary.graph(traced.graph)

    def call(self, number: int, scalars: Mapping[str, float]) -> None:
        """Writes scalars after a call, at most one set a second; begins and ends the profile.

        Args:
            number: Steps done.
            scalars: By name.
        """
        self._turn_profile(number)
        if time.monotonic() - self._last >= SECONDS_BETWEEN_SCALARS:
            self._last = time.monotonic()
            self._scalars(number, {**scalars, **self._rates()})

    def epoch(self, number: int, metrics: Mapping[str, float], held_out: Iterable[tf.Tensor] = ()) -> None:
        """Writes metrics, the distribution of every weight, and what the projector shows, at the end of an epoch.

        Args:
            number: Steps done.
            metrics: By name.
            held_out: Batches of features and labels.
        """
        self._scalars(number, {f"epoch/{name}": value for name, value in metrics.items()})
        with self._writer.as_default(step=number):
            for variable in self._step.model.trainable_variables:
                tf.summary.histogram(variable.path, tf.convert_to_tensor(variable.value))
        projector.write(self._folder, self._step.model, self._words, projector.placed(self._step, held_out))
        self._writer.flush()
        if self._scratch:
            storage.copy_folder(self._scratch, self._uri)

    def close(self) -> None:
        """Writes what is left."""
        if self._profiling:
            tf.profiler.experimental.stop()
        self._writer.close()
        if self._scratch:
            storage.copy_folder(self._scratch, self._uri)
            shutil.rmtree(self._scratch)

    def _scalars(self, number: int, scalars: Mapping[str, float]) -> None:
        with self._writer.as_default(step=number):
            for name, value in scalars.items():
                tf.summary.scalar(name, value)

    def _rates(self) -> dict[str, float]:
        rates = [one.learning_rate for one in self._step.optimizers]  # a variable, or the tensor of a schedule
        tensors = [tf.convert_to_tensor(rate.value if isinstance(rate, keras.Variable) else rate) for rate in rates]
        return {f"learning_rate/{index}": float(tensor) for index, tensor in enumerate(tensors)}

    def _turn_profile(self, number: int) -> None:
        if not self._profile:
            return
        first, last = self._profile
        if not self._profiling and first <= number < last:
            tf.profiler.experimental.start(self._folder)
            self._profiling = True
        elif self._profiling and number >= last:
            tf.profiler.experimental.stop()
            self._profiling = False
