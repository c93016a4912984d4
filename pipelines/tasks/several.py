"""Several labels of one row: a network says something of each, and every metric and prediction carries its name."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from emberline.features.errors import BadInputError, nearest
from emberline.features.names import quoted
from emberline.pipelines.tasks.task import OrdinaryTask, Outputs, PredictionColumn, Sums

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics


@dataclass(frozen=True)
class Several:
    """The tasks of the labels side by side; the loss is the sum of theirs, each times its weight.

    A network says either `[batch, outputs]`, in which the outputs of each label follow those of the label before, or a
    tensor for each label by name. The truth is `[batch, labels]`, in the order of the labels.

    Args:
        tasks: By name of the label, in the order of the schema.
        weights: Of the loss of each label; 1 where none is given.
    """

    tasks: Mapping[str, OrdinaryTask]
    weights: Mapping[str, float]

    @property
    def outputs(self) -> int:
        return sum(task.outputs for task in self.tasks.values())

    @property
    def columns(self) -> tuple[PredictionColumn, ...]:
        """`LABEL_COLUMN` for each column of each label's prediction."""
        return tuple(
            PredictionColumn(f"{name}_{column.name}", column.type)
            for name, task in self.tasks.items()
            for column in task.columns
        )

    @property
    def metrics(self) -> tuple[str, ...]:
        """`LABEL/METRIC`."""
        return tuple(f"{name}/{metric}" for name, task in self.tasks.items() for metric in task.metrics)

    @property
    def default_metric(self) -> str:
        """That of the first label."""
        name, task = next(iter(self.tasks.items()))
        return f"{name}/{task.default_metric}"

    @property
    def directions(self) -> Mapping[str, bool]:
        """Of the recipe's own metrics."""
        return {
            f"{name}/{metric}": smaller
            for name, task in self.tasks.items()
            for metric, smaller in getattr(task, "directions", {}).items()
        }

    @property
    def tally_length(self) -> int:
        return sum(task.tally_length for task in self.tasks.values())

    def losses(self, outputs: "Outputs", label: "tf.Tensor") -> "tf.Tensor":
        """Returns the weighted sum over the labels, `[batch]`."""
        import tensorflow as tf

        return tf.add_n(
            [
                self.weights.get(name, 1.0) * self.tasks[name].losses(said, truth)
                for name, said, truth in self._each(outputs, label)
            ]
        )

    def row_losses(self, outputs: "Outputs", label: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns those of each label, behind its name."""
        return {
            f"{name}_{key}": value
            for name, said, truth in self._each(outputs, label)
            for key, value in self.tasks[name].row_losses(said, truth).items()
        }

    def predict(self, outputs: "Outputs") -> "dict[str, tf.Tensor]":
        """Returns the columns of each label's prediction, behind its name."""
        return {
            f"{name}_{key}": value
            for name, said in self._said(outputs).items()
            for key, value in self.tasks[name].predict(said).items()
        }

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns those of each label, one behind the other."""
        return np.concatenate(
            [
                task.tally(
                    {
                        key.removeprefix(f"{name}_"): value
                        for key, value in predicted.items()
                        if key.startswith(f"{name}_")
                    },
                    label[:, place],
                )
                for place, (name, task) in enumerate(self.tasks.items())
            ]
        )

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the whole loss, and the metrics of each label as `eval_LABEL/METRIC`."""
        ends = list(accumulate(task.tally_length for task in self.tasks.values()))[:-1]
        total = 0.0
        found: dict[str, float] = {}
        for (name, task), mine in zip(self.tasks.items(), np.split(sums, ends), strict=True):
            metrics = task.held_out(mine)
            total += self.weights.get(name, 1.0) * metrics["eval_loss"]
            found |= {f"eval_{name}/{key.removeprefix('eval_')}": value for key, value in metrics.items()}
        return {"eval_loss": total} | found

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the metrics of each label as `LABEL/METRIC`; the details of all rows by label, below `labels`."""
        from pyspark.sql import functions as F

        from emberline.pipelines.metrics.grouped import GroupMetrics, groups_of

        found: dict[int, GroupMetrics] = {}
        for name, task in self.tasks.items():
            columns = [F.col(quoted(f"{name}_{column.name}")).alias(column.name) for column in task.columns]
            mine = scored.select(F.col(quoted(name)), *columns, *groups_of(scored))
            for group, measured in task.evaluate(mine, name, threshold).items():
                whole = found.setdefault(group, GroupMetrics({}))
                rows = measured.metrics["rows"]
                whole.metrics.pop("rows", None)
                whole.metrics.update(
                    {f"{name}/{key}": value for key, value in measured.metrics.items() if key != "rows"}
                )
                whole.metrics["rows"] = rows
                if measured.details:
                    whole.details.setdefault("labels", {})[name] = measured.details
        return found

    def _each(self, outputs: "Outputs", label: "tf.Tensor") -> "list[tuple[str, tf.Tensor, tf.Tensor]]":
        """Yields, for each label, its name, the network's outputs and the truth."""
        said = self._said(outputs)
        return [(name, said[name], label[:, place]) for place, name in enumerate(self.tasks)]

    def _said(self, outputs: "Outputs") -> "dict[str, tf.Tensor]":
        """Returns what the network says of each label.

        Raises:
            BadInputError: if it says nothing of one.
        """
        if isinstance(outputs, Mapping):
            for name in self.tasks:
                if name not in outputs:
                    raise BadInputError(
                        f"The network says nothing of the label {name!r}. {nearest(name, outputs)} Its outputs are "
                        "called like the labels."
                    )
            return {name: outputs[name] for name in self.tasks}
        found: dict[str, tf.Tensor] = {}
        begin = 0
        for name, task in self.tasks.items():
            end = begin + task.outputs
            found[name] = outputs[:, begin] if task.outputs == 1 else outputs[:, begin:end]
            begin = end
        return found
