"""What is known about generated data: the best score anyone can expect, kept in a file beside it."""

import json
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from emberline.features import storage
from emberline.features.errors import BadInputError

FACTS = "synthetic.json"


@dataclass(frozen=True)
class Synthetic:
    """Facts about generated data.

    Args:
        best: Evaluation metrics, on the held-out split, of the very model the labels were drawn from: nothing can
            be expected to do better.
        seed: Seed of the generator.
    """

    best: dict[str, float]
    seed: int


def write_facts(directory: str, facts: Synthetic) -> Synthetic:
    """Keeps `facts` beside the data in `directory`, and returns them."""
    storage.write_bytes_atomic(storage.join(directory, FACTS), json.dumps(asdict(facts), indent=2).encode())
    return facts


def read_facts(uri: str) -> Synthetic | None:
    """Returns what `write_facts` kept, or None when the data is not ours.

    Raises:
        BadInputError: if another version of emberline wrote them.
    """
    path = storage.join(uri, FACTS)
    if not storage.exists(path):
        return None
    found = json.loads(storage.read_bytes(path))
    if found.keys() != {"best", "seed"}:
        raise BadInputError(
            f"{path!r} was written by another version of emberline. Delete its folder; it is made anew."
        )
    return Synthetic(**found)


def write_lines(directory: str, name: str, lines: list[str]) -> None:
    """Writes a text file, a line each."""
    storage.write_bytes_atomic(storage.join(directory, name), ("\n".join(lines) + "\n").encode())


def binary_scores(label: NDArray[np.float64], probability: NDArray[np.float64]) -> dict[str, float]:
    """Returns `auc` and `accuracy` of the probabilities that labels were drawn from."""
    right = np.mean((probability > 0.5) == (label > 0.5))
    return {"auc": roc_auc(label, probability), "accuracy": float(right)}


def roc_auc(label: NDArray[np.float64], score: NDArray[np.float64]) -> float:
    """Returns the area under the ROC curve by the rank-sum formula of Mann and Whitney; ties share their mean rank."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    positives = float(label.sum())
    rank_sum = float(mean_rank[inverse][label > 0.5].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * (len(label) - positives))
