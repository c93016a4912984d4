"""A recipe's own loss on an ordinary label: from what it names to the loss of each row."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Label
from emberline.pipelines.recipe.loss import KERAS, Loss

if TYPE_CHECKING:
    import tensorflow as tf

OF_LOGITS = ("Hinge", "SquaredHinge", "CategoricalHinge")
"""Losses of classes that take what the network says as it is; the others without `from_logits` take probabilities."""

CATEGORICAL_FOCAL = "CategoricalFocalCrossentropy"

CLIPPED = 1e-7
"""The share below which Keras lets no probability fall, nor rise above one minus it."""

OF_THE_UNIT = ("MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "Poisson")
"""Losses of numbers that mean nothing for standard deviations from a mean."""


@dataclass(frozen=True)
class OwnLoss:
    """A recipe's loss of one label, instead of that of its task.

    Args:
        declared: What the recipe says.
        label: What it is about.
    """

    declared: Loss
    label: Label

    @classmethod
    def of(cls, given: Any, label: Label, *, standardized: bool) -> "OwnLoss | None":
        """Returns what a recipe says of a label's loss; None for the task's own.

        Raises:
            BadInputError: for an unknown name, or a label whose model states its loss itself.
        """
        if given == "":
            return None
        loss = Loss.of(given)
        _require(loss, label, standardized=standardized)
        return cls(loss, label)

    def __call__(self, outputs: "tf.Tensor", truth: "tf.Tensor") -> "tf.Tensor":
        """See `row_losses`."""
        return row_losses(self.declared, self.label, outputs, truth)


def _require(loss: Loss, label: Label, *, standardized: bool) -> None:
    if label.task not in KERAS:
        raise BadInputError(
            f"training.loss is {loss.named!r}, and a network for {label.task} states its loss itself. Leave it out."
        )
    if not isinstance(loss.kind, str):
        return
    name = _class_name(loss.kind, label)
    if label.task == "regression" and standardized and name in OF_THE_UNIT:
        raise BadInputError(
            f"training.loss is {loss.kind!r}, which is about numbers as they are, and the label {label.name!r} is "
            "standardised. Set training.standardize_label=False."
        )


def row_losses(loss: Loss, label: Label, outputs: "tf.Tensor", truth: "tf.Tensor") -> "tf.Tensor":
    """Returns the loss of each row, float32 `[batch]`.

    Args:
        loss: As declared.
        label: What it is about.
        outputs: What the network says, `[batch]` or `[batch, classes]`.
        truth: `[batch]`; a number in the unit of the outputs.

    Raises:
        BadInputError: if the loss fails, or says something else than a number for each row.
    """
    import keras
    import tensorflow as tf

    kind: Any = loss.kind
    if isinstance(kind, str):
        kind = getattr(keras.losses, _class_name(kind, label))
    try:
        if isinstance(kind, type) and issubclass(kind, keras.losses.Loss):
            found = _by_keras(kind, loss.settings, label, outputs, truth)
        else:
            found = kind(truth, outputs, **loss.settings)
    except BadInputError:
        raise
    except Exception as error:  # whatever a stranger's function does, its name belongs to the message
        raise BadInputError(f"The loss {loss.named!r} of the recipe failed: {type(error).__name__}: {error}") from error
    found = tf.cast(found, tf.float32)
    if found.shape.rank != 1:
        raise BadInputError(
            f"The loss {loss.named!r} of the recipe says a tensor of shape {tuple(found.shape)}, expected (batch,): a "
            "number for each row. Leave the mean to the training."
        )
    return found


def _class_name(kind: str, label: Label) -> str:
    known = KERAS[label.task]
    if kind in known:
        return known[kind]
    if kind in known.values():
        return kind
    raise BadInputError(
        f"training.loss is {kind!r}, which is no loss of a {label.task} label. {nearest(kind, known)} Or give a "
        "function (label, output) -> loss of each row."
    )


def _by_keras(
    kind: Any, settings: Mapping[str, Any], label: Label, outputs: "tf.Tensor", truth: "tf.Tensor"
) -> "tf.Tensor":
    import tensorflow as tf

    known = inspect.signature(kind).parameters
    given = dict(settings)
    if isinstance(kind, type) and "from_logits" in known:
        given["from_logits"] = True  # whatever was given: what the network says are logits
    elif label.classes and kind.__name__ not in OF_LOGITS:
        outputs = tf.sigmoid(outputs) if outputs.shape.rank == 1 else tf.nn.softmax(outputs)
    if outputs.shape.rank > 1 and not kind.__name__.startswith("Sparse"):
        truth = tf.one_hot(tf.cast(truth, tf.int32), len(label.classes))
    for name in given:
        if name not in known and "kwargs" not in known:
            raise BadInputError(f"The loss {kind.__name__} takes no {name!r}. {nearest(name, known)}")
    if kind.__name__ == CATEGORICAL_FOCAL and kind.__module__.startswith("keras."):
        return _categorical_focal(kind(**given), outputs, truth)
    made = kind(**given, reduction="none")
    # Keras takes the mean over the last axis: of a single number that is the number.
    rows = (truth, outputs) if outputs.shape.rank > 1 else (truth[:, tf.newaxis], outputs[:, tf.newaxis])
    return made(*rows)  # type: ignore[no-any-return]


def _categorical_focal(loss: Any, outputs: "tf.Tensor", truth: "tf.Tensor") -> "tf.Tensor":
    """Returns Keras's focal loss of several classes from the logarithm of the softmax.

    Keras clips the probabilities first. The gradient of a row that the network is wrong about by more than 16 is then
    zero, and focal loss is chosen to learn most from such rows. Keras's focal loss of two classes has no such limit
    under TensorFlow, where it finds the logits again.
    """
    import tensorflow as tf

    settings = loss.get_config()
    smoothing = settings["label_smoothing"]
    truth = truth * (1.0 - smoothing) + smoothing / truth.shape[-1]
    logarithms = tf.nn.log_softmax(outputs)
    # Clipped as by Keras: a power below one has no finite gradient where nothing is left to learn.
    missing = 1.0 - tf.clip_by_value(tf.exp(logarithms), CLIPPED, 1.0 - CLIPPED)
    return -tf.reduce_sum(settings["alpha"] * missing ** settings["gamma"] * truth * logarithms, axis=-1)
