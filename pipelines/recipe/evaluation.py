"""What is measured of a model, and what it must reach to become champion, as a recipe declares it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe.metric import metric_of


@dataclass(frozen=True)
class Evaluation:
    """What evaluate looks at beside all held-out rows together.

    Args:
        slices: Raw fields, any of the data's, the network need not read them; the metrics are counted for each value
            too. A number field is cut into ranges: `age:30,50` into those below 30, of 30 to 50, and of 50 and more;
            plain `age` at the quartiles of the held-out rows.
        threshold: Of two classes, the probability of the second above which accuracy, precision, recall and F1 take it
            as predicted. The `class` of a prediction is that of one half in any case.
        metrics: Metrics of the recipe's own, or of Keras, beside those of the task; also of each epoch's held-out
            rows, as `eval_NAME`, unless they are of all rows at once. Of several labels those of each, by name.

    Example:
        >>> from emberline.pipelines.recipe import Evaluation
        >>> Evaluation(slices=("gender", "age:30,50")).threshold
        0.5
    """

    slices: tuple[str, ...] = ()
    threshold: float = 0.5
    metrics: tuple[Any, ...] | Mapping[str, tuple[Any, ...]] = ()

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise BadInputError(f"evaluation.threshold must lie between 0 and 1, got {self.threshold}.")
        own: Any = (
            {label: tuple(map(metric_of, given)) for label, given in self.metrics.items()}
            if isinstance(self.metrics, Mapping)
            else tuple(map(metric_of, self.metrics))
        )
        object.__setattr__(self, "metrics", own)
        for declared in self.slices:
            slice_bounds(declared)


def slice_bounds(declared: str) -> tuple[str, tuple[float, ...]]:
    """Returns field and bounds of a slice such as `age:30,50`.

    Raises:
        BadInputError: if it is not of that form.

    Example:
        >>> slice_bounds("age:30,50")
        ('age', (30.0, 50.0))
    """
    field_name, _, listed = declared.partition(":")
    try:
        bounds = tuple(float(bound) for bound in listed.split(",")) if listed else ()
    except ValueError:
        bounds = (0.0, 0.0)
    if not field_name or list(bounds) != sorted(set(bounds)):
        raise BadInputError(
            f"evaluation.slices has {declared!r}: expected a field, or a field and rising numbers, such as age:30,50."
        )
    return field_name, bounds


@dataclass(frozen=True)
class Gate:
    """What a model must reach before it is called champion.

    Args:
        metric: Name of an evaluation metric. Empty: the task's own, such as `auc` of two classes, `accuracy` of several
            and `rmse` of a number.
        limit: Worst value accepted, whoever the present champion is. None: 0.5 of an `auc`, any of another metric.
        margin: How much better than the present champion it must be, on the same rows.
        slices: Fields of `evaluation.slices` of which no value may fall behind the present champion.
        slice_drop: How far such a value may fall nevertheless.
        slice_rows: Slices of fewer rows say too little, and are not looked at.
        latency_ms: Milliseconds that a call of the exported model with one row may take, at the median; 0 for any.
        latency_ms_1000: The same of a call with 1,000 rows.
        smaller_is_better: Direction of the metric. None: as is known of it.

    Example:
        >>> from emberline.pipelines.recipe import Gate
        >>> gate = Gate(metric="auc", limit=0.85, slices=("gender",), slice_drop=0.02)
        >>> gate.margin
        0.0001
    """

    metric: str = ""
    limit: float | None = None
    margin: float = 1e-4
    slices: tuple[str, ...] = ()
    slice_drop: float = 0.0
    slice_rows: int = 100
    latency_ms: float = 0.0
    latency_ms_1000: float = 0.0
    smaller_is_better: bool | None = None

    def __post_init__(self) -> None:
        for name in ("margin", "slice_drop", "slice_rows", "latency_ms", "latency_ms_1000"):
            if getattr(self, name) < 0:
                raise BadInputError(f"gate.{name} must be 0 or more, got {getattr(self, name)}.")
