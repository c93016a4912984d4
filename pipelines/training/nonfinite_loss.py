"""Why a loss is no number: the steps since the last good state once more, one by one, with an eye on every value."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from emberline.pipelines.training.checkpoint.position import Position
from emberline.pipelines.training.input.batches import Batches
from emberline.pipelines.training.step.training_step import TrainingStep

STEPS_BETWEEN_SIGNS = 100


def first_fault(
    strategy: tf.distribute.Strategy,
    step: TrainingStep,
    batches: Batches,
    start: Position,
    workers: int,
    last: int,
    heard: Callable[[int], None],
) -> str:
    """Repeats steps until a value is not finite. All workers must call it, with the same arguments.

    Args:
        strategy: The strategy of `step`.
        step: A step whose variables are as they were at `start`.
        batches: This worker's rows.
        start: Where to begin.
        workers: How many there are.
        last: The step (counted from 1) whose loss was not finite.
        heard: Told the step now and then: the repetition may take as long as what lies between two checkpoints.

    Returns:
        A sentence that names the step and the first inputs, gradients or variables that are not finite.
    """
    names = [variable.path for variable in step.model.trainable_variables]

    @tf.function
    def once(rows: Iterator[Any]) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        batch = next(rows)
        loss, gradients = strategy.run(step.checked_step, args=batch)
        local = [strategy.experimental_local_results(gradient)[0] for gradient in gradients]
        inputs = strategy.experimental_local_results(batch[0])[0]
        floats = [tf.cast(value, tf.float32) for value in inputs.values() if not isinstance(value, tf.RaggedTensor)]
        return (
            strategy.experimental_local_results(loss)[0],
            tf.stack([_all_finite(gradient) for gradient in local]),
            tf.stack([tf.reduce_all(~tf.math.is_inf(value)) for value in floats]),
        )

    position = start
    while position.step < last:
        rows = iter(batches.training(position))
        for _ in range(min(batches.steps_per_epoch - position.steps_into_epoch, last - position.step)):
            loss, gradients, inputs = once(rows)
            position = position.after(1, workers)
            if position.step % STEPS_BETWEEN_SIGNS == 0:
                heard(position.step)
            values = [np.isfinite(tf.convert_to_tensor(weight)).all() for weight in step.weights]
            if not (np.isfinite(loss) and np.all(gradients) and all(values)):
                found = [
                    f"the loss is {float(loss):g}" if not np.isfinite(loss) else "",
                    _listed("inputs with infinite values", list(rows.element_spec[0]), inputs),
                    _listed("gradients that are not finite", names, gradients),
                    _listed("variables that are not finite", names, values) if np.all(gradients) else "",
                ]
                return f"At step {position.step:,}: {'; '.join(part for part in found if part)}."
        position = position.next_epoch()
    return f"Repeating the steps {start.step + 1:,} to {last:,} gave finite values only."


def _all_finite(value: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    numbers = value.values if isinstance(value, tf.IndexedSlices) else value
    return tf.reduce_all(tf.math.is_finite(numbers))


def _listed(what: str, names: list[str], fine: Any) -> str:
    bad = [name for name, good in zip(names, np.asarray(fine), strict=True) if not good]
    return f"{what}: {', '.join(bad)}" if bad else ""
