"""Metrics of a recipe's own, on the held-out rows of each epoch and in `evaluate`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.catalogue import Catalogue

Array: TypeAlias = Any
"""A NumPy array; this module imports nothing heavy."""


@runtime_checkable
class Metric(Protocol):
    """A metric that is made of sums over rows: those of two sets of rows, added, are those of both.

    So workers count it together, and executors in Spark. `labels` are float64 `[rows]`: class ids, or numbers in their
    unit. `predictions` are float64: of two classes the probability of the second `[rows]`, of several that of each
    `[rows, classes]`, of a number the prediction in the label's unit `[rows]`.
    """

    @property
    def name(self) -> str:
        """What gates, pages and MLflow call it; `eval_NAME` of the held-out rows of an epoch."""

    @property
    def smaller_is_better(self) -> bool:
        """Its direction."""

    def sums(self, labels: Array, predictions: Array) -> Array:
        """Returns the sums over some rows, a vector that is equally long for any of them."""

    def value(self, sums: Array) -> float:
        """Returns the metric, from the sums over all rows; NaN where they do not define it."""


@dataclass(frozen=True)
class MeanMetric:
    """The mean over rows of a number that each of them has.

    Args:
        name: See `Metric`.
        of: `(labels, predictions) -> numbers [rows]`.
        smaller_is_better: See `Metric`.

    Example:
        >>> import numpy as np
        >>> late = MeanMetric("late", lambda labels, predictions: labels > predictions, smaller_is_better=True)
        >>> late.value(late.sums(np.array([1.0, 3.0]), np.array([2.0, 2.0])))
        0.5
    """

    name: str
    of: Callable[[Array, Array], Array]
    smaller_is_better: bool = False

    def sums(self, labels: Array, predictions: Array) -> Array:
        """Returns the sum of the numbers, and the rows."""
        import numpy as np

        numbers = np.asarray(self.of(labels, predictions), np.float64)
        if numbers.shape != labels.shape:
            raise BadInputError(
                f"Metric {self.name!r}: expected a number for each of {len(labels)} rows, got an array of shape "
                f"{numbers.shape}. For one number of all rows declare a WholeMetric."
            )
        return np.array([numbers.sum(), len(labels)])

    def value(self, sums: Array) -> float:
        """Returns the mean."""
        return float(sums[0] / sums[1]) if sums[1] else float("nan")


@dataclass(frozen=True)
class SumMetric:
    """What a function makes of sums over rows, such as a ratio.

    Args:
        name: See `Metric`.
        of: `(labels, predictions) -> sums`, a vector equally long for any rows.
        then: From the sums over all rows to the metric.
        smaller_is_better: See `Metric`.

    Example:
        >>> import numpy as np
        >>> bias = SumMetric("bias", lambda label, said: [said.sum(), label.sum()], lambda sums: sums[0] / sums[1])
        >>> bias.value(bias.sums(np.array([1.0, 3.0]), np.array([2.0, 4.0])))
        1.5
    """

    name: str
    of: Callable[[Array, Array], Array]
    then: Callable[[Array], float]
    smaller_is_better: bool = False

    def sums(self, labels: Array, predictions: Array) -> Array:
        """Returns the sums of a batch; see `Metric`."""
        import numpy as np

        return np.atleast_1d(np.asarray(self.of(labels, predictions), np.float64))

    def value(self, sums: Array) -> float:
        """Returns the metric of the sums; see `Metric`."""
        return float(self.then(sums))


@dataclass(frozen=True)
class WholeMetric:
    """A number of all rows at once, such as a rank correlation: only `evaluate` tells it, not the epochs of a training.

    Spark brings all rows of a group (all held-out rows, or one slice of them) to one task for it.

    Args:
        name: See `Metric`.
        of: `(labels, predictions) -> number`.
        smaller_is_better: See `Metric`.

    Example:
        >>> from emberline.pipelines.recipe import WholeMetric
        >>> def rank_correlation(labels, predictions):
        ...     from scipy.stats import spearmanr
        ...
        ...     return spearmanr(labels, predictions).statistic
        >>> WholeMetric("spearman", rank_correlation).name
        'spearman'
    """

    name: str
    of: Callable[[Array, Array], float]
    smaller_is_better: bool = False


@dataclass(frozen=True)
class KerasMetric:
    """A metric of Keras whose state adds up over rows, as those of means, counts and confusion matrices do.

    Args:
        kind: Class of Keras's `Metric`, or the name of one, such as `SensitivityAtSpecificity`.
        settings: Its arguments by name.
        name: See `Metric`.
        smaller_is_better: See `Metric`.

    Example:
        >>> from emberline.pipelines.recipe import KerasMetric
        >>> KerasMetric("SensitivityAtSpecificity", {"specificity": 0.9}).name
        'sensitivityatspecificity'
    """

    kind: str | Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    smaller_is_better: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            plain = self.kind if isinstance(self.kind, str) else self.kind.__name__
            object.__setattr__(self, "name", str(self.settings.get("name", plain.lower())))


OwnMetric: TypeAlias = "Metric | WholeMetric | KerasMetric"


METRICS = Catalogue("metric", "METRIC", "emberline.metrics")


def metric_of(given: Any) -> OwnMetric:
    """Returns what a recipe says, as a metric: one of Keras's objects becomes its class and its settings.

    Args:
        given: A metric, or what names one: `module:NAME`, or an entry point of the group `emberline.metrics`.

    Raises:
        BadInputError: if it is none.
    """
    if isinstance(given, str):
        given = METRICS.named(given)
    if isinstance(given, WholeMetric | KerasMetric | Metric):
        return given
    if hasattr(given, "get_config") and hasattr(given, "update_state"):
        kind = type(given)
        named = kind.__name__ if kind.__module__.startswith("keras.") else kind
        settings = {name: value for name, value in given.get_config().items() if name != "dtype"}
        return KerasMetric(named, settings, given.name)
    name = getattr(given, "__name__", repr(given))
    raise BadInputError(
        f"evaluation.metrics has {name}: expected a Metric. A function of each row is MeanMetric({name!r}, {name}), "
        f"one of all rows at once WholeMetric({name!r}, {name})."
    )
