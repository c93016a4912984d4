"""What training, export, evaluation and scoring ask of a task."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import tensorflow as tf
    from pyspark.sql import DataFrame

    from emberline.pipelines.metrics.grouped import GroupMetrics

Outputs: TypeAlias = "tf.Tensor | Mapping[str, tf.Tensor]"
"""What a network says: a tensor, or several by name where a task asks for more than one."""

Losses: TypeAlias = "tf.Tensor | dict[str, tf.Tensor]"
"""Loss of each row, `[batch]`; or several by the scope of the optimizer that makes each smaller, all in one step."""

LOSS = "loss/"
"""A network of several parts says `loss/SCOPE` for each: the network defines its own losses."""

ROW_LOSS = "loss/row"
"""Beside a prediction of held-out rows: what a recipe's own loss says of each."""

MAIN, SIDE = "logits", "side/"
"""A network with side classifiers says `logits`, and `side/…` for each of them, of the same shape."""

Sums = NDArray[np.float64]
"""A vector of counts and sums over rows: those of two sets of rows, added, are those of both."""


@dataclass(frozen=True)
class PredictionColumn:
    """One column of a prediction.

    Args:
        name: In signatures and tables.
        type: `float` (float32), `long` (int64), `string`, or `floats` (an array of float32, equally long in all rows).
    """

    name: str
    type: Literal["float", "long", "string", "floats"]


class Task(Protocol):
    """One kind of label."""

    @property
    def outputs(self) -> int:
        """Outputs of the network: 1 for `[batch]`, more for `[batch, outputs]`; 0 for several by name."""

    @property
    def columns(self) -> tuple[PredictionColumn, ...]:
        """What a prediction consists of."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics `evaluate` gives, `rows` aside."""

    @property
    def default_metric(self) -> str:
        """The one that decides about a champion where a recipe names none."""

    def losses(self, outputs: "Outputs", label: "tf.Tensor") -> "Losses":
        """Returns the loss of each row, `[batch]`, or several.

        Args:
            outputs: What the network says.
            label: float32 `[batch]`, a class id or a number.
        """

    def predict(self, outputs: "Outputs") -> "dict[str, tf.Tensor]":
        """Returns the columns of the prediction, from what the network says."""

    @property
    def tally_length(self) -> int:
        """Length of what `tally` gives."""

    def tally(self, predicted: "Mapping[str, tf.Tensor]", label: NDArray[np.float32]) -> Sums:
        """Returns the sums over the rows of one batch, which `held_out` reads once they are added up.

        Args:
            predicted: What `predict` gave.
            label: The truth, `[batch]`.
        """

    def held_out(self, sums: Sums) -> dict[str, float]:
        """Returns the metrics of the held-out rows of an epoch, `eval_loss` first."""

    def evaluate(self, scored: "DataFrame", label: str, threshold: float) -> "dict[int, GroupMetrics]":
        """Returns the metrics over scored rows by group of rows, counted in Spark.

        Args:
            scored: The columns of the prediction and the label; and the groups of each row, if there are several (see
                `emberline.pipelines.metrics.grouped.spread`).
            label: Name of the label.
            threshold: Probability of the second of two classes above which it is the prediction.

        Raises:
            BadInputError: if the rows cannot be judged.
        """


class OrdinaryTask(Task, Protocol):
    """A task of a label that is predicted: a recipe may bring a loss and metrics of its own."""

    def losses(self, outputs: "Outputs", label: "tf.Tensor") -> "tf.Tensor":
        """Returns the loss of each row, `[batch]`."""

    @property
    def judged(self) -> str:
        """Column of the prediction that metrics of a recipe's own are given."""

    def row_losses(self, outputs: "Outputs", label: "tf.Tensor") -> "dict[str, tf.Tensor]":
        """Returns the recipe's own loss of each held-out row as `ROW_LOSS`, for `tally`; nothing without one."""


@runtime_checkable
class Pictured(Protocol):
    """A task whose predictions can be looked at."""

    def pictures(self, outputs: "Mapping[str, tf.Tensor]") -> "tf.Tensor":
        """Returns what a person sees of a few rows: float32 `[batch, height, width, channels]` of 0 to 1."""


def own_losses(outputs: "Mapping[str, tf.Tensor]") -> "dict[str, tf.Tensor]":
    """Returns the losses that a network states itself, by scope."""
    return {name.removeprefix(LOSS): value for name, value in outputs.items() if name.startswith(LOSS)}


def main_output(outputs: "Outputs") -> "Outputs":
    """Returns what a network says, without its side classifiers."""
    return outputs[MAIN] if side_outputs(outputs) else outputs


def side_outputs(outputs: "Outputs") -> "list[tf.Tensor]":
    """Returns what the side classifiers of a network say, if it has any: they only help to train it."""
    found = outputs if isinstance(outputs, Mapping) else {}
    return [value for name, value in found.items() if name.startswith(SIDE)]


def means(scored: "DataFrame", columns: "Mapping[str, str]") -> "dict[int, GroupMetrics]":
    """Returns means of columns over scored rows, and `rows`, by group of rows.

    Args:
        scored: One row per example; with its groups, if it has more than one (see
            `emberline.pipelines.metrics.grouped.spread`).
        columns: Column of each metric.

    Raises:
        BadInputError: if there are no rows.
    """
    from pyspark.sql import functions as F

    from emberline.pipelines.metrics.grouped import ALL, GROUP, GroupMetrics, groups_of, require_rows, spread

    rows = scored.select(*set(columns.values()), *groups_of(scored))
    counted = (
        spread(rows)
        .groupBy(GROUP)
        .agg(F.count(F.lit(1)).alias("_rows"), *(F.avg(column).alias(name) for name, column in columns.items()))
    )
    by_group = {row[GROUP]: row for row in counted.collect()}
    require_rows(by_group[ALL]["_rows"] if ALL in by_group else 0)
    return {
        group: GroupMetrics({name: float(row[name]) for name in columns} | {"rows": float(row["_rows"])})
        for group, row in sorted(by_group.items())
    }
