"""What an evaluation found, as it is kept in the training's folder."""

import json
from dataclasses import dataclass, field
from typing import Any

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.shown import ShownAsTable

EVALUATION = "evaluation.json"


@dataclass(frozen=True, repr=False)
class EvaluateResult(ShownAsTable):
    """How good a trained model is on rows it never saw.

    Args:
        training: URI of the training.
        dataset_digest: Content of the dataset version evaluated.
        metrics: Numbers by name, as the task of the label defines them.
        scores: URI of a Parquet folder: key, label, prediction, and `slice_FIELD` for each field of slices.
        details: What is no single number, such as confusion matrix, calibration and curve; `left_out`, metrics
            that these rows do not define with the reason; and `slices_left_out`, by
            field the number of values whose metrics were not counted, and of their rows.
        slices: The same metrics by field, value and name; of each field the values with most rows.
        smaller_is_better: Names of the metrics of which less is better; empty in evaluations of version 0.1.
    """

    training: str
    dataset_digest: str
    metrics: dict[str, float]
    scores: str
    details: dict[str, Any] = field(default_factory=dict)
    slices: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    smaller_is_better: tuple[str, ...] = ()


def open_evaluation(training: str) -> EvaluateResult:
    """Returns what `evaluate` found.

    Raises:
        BadInputError: if the training was not evaluated.
    """
    path = storage.join(training, EVALUATION)
    if not storage.exists(path):
        raise BadInputError(f"The training {training!r} was not evaluated. Run evaluate first.")
    found = json.loads(storage.read_bytes(path))
    return EvaluateResult(**found | {"smaller_is_better": tuple(found.get("smaller_is_better", ()))})
