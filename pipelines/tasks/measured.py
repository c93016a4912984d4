"""An ordinary task with metrics of the recipe's own beside those that it has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe.metric import KerasMetric, Metric, OwnMetric, WholeMetric
from emberline.pipelines.tasks.keras_metric import KerasSums
from emberline.pipelines.tasks.task import OrdinaryTask, Outputs, PredictionColumn, Sums

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics


@dataclass(frozen=True)
class Measured:
    """Everything is the task's; its metrics are the task's and the recipe's.

    Args:
        task: What the label says.
        own: The recipe's metrics.

    Raises:
        BadInputError: if two metrics have one name.
    """

    task: OrdinaryTask
    own: tuple[OwnMetric, ...]

    def __post_init__(self) -> None:
        names = [*self.task.metrics, "rows", "loss", *(metric.name for metric in self.own)]
        for metric in self.own:
            if names.count(metric.name) > 1:
                raise BadInputError(
                    f"evaluation.metrics has {metric.name!r}, which is the name of another metric. Give it a name of "
                    f"its own beside {', '.join(name for name in dict.fromkeys(names) if name != metric.name)}."
                )

    @property
    def outputs(self) -> int:
        return self.task.outputs

    @property
    def columns(self) -> tuple[PredictionColumn, ...]:
        return self.task.columns

    @property
    def judged(self) -> str:
        return self.task.judged

    @property
    def metrics(self) -> tuple[str, ...]:
        return (*self.task.metrics, *(metric.name for metric in self.own))

    @property
    def default_metric(self) -> str:
        return self.task.default_metric

    @property
    def directions(self) -> Mapping[str, bool]:
        return {metric.name: bool(metric.smaller_is_better) for metric in self.own}

    @property
    def summed(self) -> tuple[Metric, ...]:
        """The recipe's metrics that an epoch can tell."""
        return summed_metrics(self.own)

    @property
    def tally_length(self) -> int:
        return self.task.tally_length + sum(self._lengths())

    def losses(self, outputs: "Outputs", label: "tf.Tensor") -> "tf.Tensor":
        """Returns the task's."""
        return self.task.losses(outputs, label)

    def row_losses(self, outputs: "Outputs", label: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns the task's."""
        return self.task.row_losses(outputs, label)

    def predict(self, outputs: "Outputs") -> "dict[str, tf.Tensor]":
        """Returns the task's."""
        return self.task.predict(outputs)

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the task's sums, and behind them those of the recipe's metrics."""
        labels, predictions = label.astype(np.float64), predicted[self.judged].numpy().astype(np.float64)
        sums = [sums_of(metric, labels, predictions) for metric in self.summed]
        return np.concatenate([self.task.tally(predicted, label), *sums])

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the task's metrics and the recipe's, as far as they are made of sums."""
        found = self.task.held_out(sums[: self.task.tally_length])
        ends = self.task.tally_length + np.cumsum([0, *self._lengths()])
        for metric, begin, end in zip(self.summed, ends, ends[1:], strict=False):
            found[f"eval_{metric.name}"] = value_of(metric, sums[begin:end])
        return found

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the task's metrics and the recipe's; see `own_metrics`."""
        from emberline.pipelines.tasks.metrics_in_spark import own_metrics

        found = self.task.evaluate(scored, label, threshold)
        for group, metrics in own_metrics(scored, label, self.judged, self.own).items():
            rows = found[group].metrics.pop("rows")
            found[group].metrics.update(metrics | {"rows": rows})
        return found

    def _lengths(self) -> list[int]:
        """Returns the lengths of the sums of each metric, for a worker without held-out rows: tried with two rows.

        Raises:
            BadInputError: if the sums of two rows are not those of the one and of the other, added.
        """
        labels, width = np.array([0.0, 1.0]), self.task.outputs
        predictions = np.full((2, width), 1 / width) if width > 1 else np.array([0.25, 0.75])
        lengths = []
        for metric in self.summed:
            one, other = (sums_of(metric, labels[part], predictions[part]) for part in (slice(1), slice(1, 2)))
            both = sums_of(metric, labels, predictions)
            if len(one) != len(both) or not np.allclose(one + other, both, equal_nan=True):
                raise BadInputError(
                    f"The sums of metric {metric.name!r} do not add up over rows: {one} and {other} of two rows, "
                    f"{both} of both together. Declare a WholeMetric, which evaluate alone reports."
                )
            lengths.append(len(both))
        return lengths


def summed_metrics(own: Sequence[OwnMetric]) -> tuple[Metric, ...]:
    """Returns those of a recipe's metrics that are made of sums over rows."""
    found = (KerasSums(metric) if isinstance(metric, KerasMetric) else metric for metric in own)
    return tuple(metric for metric in found if isinstance(metric, Metric))


def sums_of(metric: Metric, labels: NDArray[np.float64], predictions: NDArray[np.float64]) -> Sums:
    """Returns a metric's sums over some rows.

    Raises:
        BadInputError: if it fails, or gives no vector, naming it.
    """
    sums = np.asarray(_told(metric, metric.sums, labels, predictions), np.float64)
    if sums.ndim != 1:
        raise BadInputError(f"The sums of metric {metric.name!r} are no vector, but of shape {sums.shape}.")
    return sums


def value_of(metric: Metric, sums: Sums) -> float:
    """Returns a metric from its sums.

    Raises:
        BadInputError: if it fails, naming it.
    """
    return float(_told(metric, metric.value, sums))


def value_of_whole(metric: WholeMetric, labels: NDArray[np.float64], predictions: NDArray[np.float64]) -> float:
    """Returns a metric of all rows at once.

    Raises:
        BadInputError: if it fails, naming it.
    """
    return float(_told(metric, metric.of, labels, predictions))


def _told(metric: OwnMetric, function: Any, *given: Any) -> Any:
    try:
        return function(*given)
    except BadInputError:
        raise
    except Exception as error:  # whatever a recipe's own code does, its name belongs to the message
        raise BadInputError(
            f"The metric {metric.name!r} of the recipe failed: {type(error).__name__}: {error}"
        ) from error
