"""What a training makes smaller, where a recipe does not leave it to the task of its label."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.catalogue import Catalogue

OF_THE_STEP = ("name", "dtype", "reduction")
"""Arguments of Keras's losses that a step does not leave to them: it needs the loss of each row."""

KERAS: Mapping[str, Mapping[str, str]] = {
    "binary": {
        "binary_crossentropy": "BinaryCrossentropy", "binary_focal_crossentropy": "BinaryFocalCrossentropy",
        "focal": "BinaryFocalCrossentropy", "hinge": "Hinge", "squared_hinge": "SquaredHinge",
        "mean_squared_error": "MeanSquaredError", "mse": "MeanSquaredError",
        "mean_absolute_error": "MeanAbsoluteError", "mae": "MeanAbsoluteError",
    },
    "multiclass": {
        "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
        "categorical_crossentropy": "CategoricalCrossentropy",
        "categorical_focal_crossentropy": "CategoricalFocalCrossentropy", "focal": "CategoricalFocalCrossentropy",
        "categorical_hinge": "CategoricalHinge", "mean_squared_error": "MeanSquaredError", "mse": "MeanSquaredError",
    },
    "regression": {
        "mean_squared_error": "MeanSquaredError", "mse": "MeanSquaredError",
        "mean_absolute_error": "MeanAbsoluteError", "mae": "MeanAbsoluteError",
        "mean_absolute_percentage_error": "MeanAbsolutePercentageError", "mape": "MeanAbsolutePercentageError",
        "mean_squared_logarithmic_error": "MeanSquaredLogarithmicError", "msle": "MeanSquaredLogarithmicError",
        "huber": "Huber", "log_cosh": "LogCosh", "poisson": "Poisson",
    },
}  # fmt: skip
"""Keras's losses by the names that recipes give them, for each task."""

LOSSES = Catalogue("loss", "LOSS", "emberline.losses")


@dataclass(frozen=True)
class Loss:
    """A loss of each row, by name, by class, or as a function.

    Args:
        kind: Name of a Keras loss, such as `huber` or `focal`; a class of Keras's `Loss`; or a function
            `(label, output) -> loss`, each `[batch]` (`output` of several classes `[batch, classes]`). Classes and
            functions may be named, too: `module:NAME`, or an entry point of the group `emberline.losses`.
        settings: Arguments of a name or a class, or more arguments of a function, by name.

    A function gets what the network says, as the task's own loss does: of two classes the log-odds of the second, of
    several a logit for each, of a number how many standard deviations it is from its mean, and the label in the same
    unit; with `training.standardize_label=False` both as they are.

    Raises:
        BadInputError: if `kind` can be neither.

    Example:
        >>> Loss("huber", {"delta": 2.0}).named
        'huber'
    """

    kind: str | Callable[..., Any]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) and not callable(self.kind):
            raise BadInputError(
                f"A loss is the name of a Keras loss, one of its objects, or a function (label, output) -> loss of "
                f"each row; got {self.kind!r}."
            )
        if isinstance(self.kind, str) and not is_of_keras(self.kind) and LOSSES.has(self.kind):
            object.__setattr__(self, "kind", LOSSES.named(self.kind))

    @classmethod
    def of(cls, given: Any) -> "Loss":
        """Returns what a recipe says, as a `Loss`: an object of Keras becomes its class and its settings."""
        if isinstance(given, Loss):
            return given
        if isinstance(given, str) or not hasattr(given, "get_config"):
            return cls(given)
        kind = type(given)
        # Some of Keras's own forget their arguments in their config, such as `Huber` its delta.
        known = inspect.signature(kind).parameters
        told = {**getattr(given, "_fn_kwargs", {}), **given.get_config()}
        settings = {name: value for name, value in told.items() if name in known and name not in OF_THE_STEP}
        return cls(kind.__name__ if kind.__module__.startswith("keras.") else kind, settings)

    @property
    def named(self) -> str:
        """The name, that of the class, or that of the function."""
        return self.kind if isinstance(self.kind, str) else getattr(self.kind, "__name__", type(self.kind).__name__)


def is_of_keras(name: str) -> bool:
    """Returns whether a name is that of a Keras loss, as recipes or as Keras write it."""
    return any(name in known or name in known.values() for known in KERAS.values())


def declared_loss(given: Any) -> "str | Loss":
    """Returns what a recipe says of a loss: nothing, or the name of one of Keras's, as it is; else a `Loss`."""
    if given == "":
        return ""
    loss = Loss.of(given)
    return given if isinstance(given, str) and loss.kind == given else loss
