"""A metric of Keras as sums over rows: its state, which adds up."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emberline.features.errors import BadInputError, nearest
from emberline.pipelines.recipe.metric import KerasMetric

ONE_HOT = ("Categorical", "OneHot", "TopK", "F1", "FBeta")
"""How the names of Keras's metrics begin that take labels of several classes as one-hot vectors."""


@dataclass(frozen=True)
class KerasSums:
    """See `emberline.pipelines.recipe.metric.Metric`.

    Args:
        declared: The recipe's.
    """

    declared: KerasMetric

    @property
    def name(self) -> str:
        return self.declared.name

    @property
    def smaller_is_better(self) -> bool:
        return self.declared.smaller_is_better

    def sums(self, labels: NDArray[np.float64], predictions: NDArray[np.float64]) -> NDArray[np.float64]:
        """Returns its state after these rows alone."""
        metric = self._made()
        truth = labels.reshape(-1, 1)
        if predictions.ndim > 1 and type(metric).__name__.startswith(ONE_HOT):
            truth = np.eye(predictions.shape[1])[labels.astype(int)]
        metric.update_state(truth.astype(np.float32), predictions.reshape(len(labels), -1).astype(np.float32))
        return np.concatenate([np.asarray(variable, np.float64).ravel() for variable in metric.variables])

    def value(self, sums: NDArray[np.float64]) -> float:
        """Returns its result at this state.

        Raises:
            BadInputError: if its state is of another length.
        """
        metric, width = self._made(), 1
        while _length(metric) != len(sums):
            # Some have no variables of the right shape before they have seen rows.
            if width > len(sums):
                raise BadInputError(
                    f"The state of Keras's metric {self.name!r} has not the length of {len(sums)} sums."
                )
            metric = self._made()
            metric.update_state(np.zeros((1, width), np.float32), np.zeros((1, width), np.float32))
            width += 1
        ends = np.cumsum([int(np.prod(variable.shape)) for variable in metric.variables])[:-1]
        for variable, values in zip(metric.variables, np.split(sums, ends), strict=True):
            variable.assign(values.reshape(variable.shape))
        return float(np.mean(metric.result()))

    def _made(self) -> Any:
        import keras

        kind: Any = self.declared.kind
        if isinstance(kind, str):
            known = {name: item for name, item in vars(keras.metrics).items() if isinstance(item, type)}
            if kind not in known:
                raise BadInputError(f"There is no metric {kind!r} in Keras. {nearest(kind, known)}")
            kind = known[kind]
        return kind(**self.declared.settings)


def _length(metric: Any) -> int:
    return sum(int(np.prod(variable.shape)) for variable in metric.variables)
