"""Words spotted in a long recording: from probabilities over time to words, and how many of them were said.

The rules are those of TensorFlow's tutorial on recognising spoken words: probabilities are averaged over a while, a
word is spotted when its mean passes a threshold, and after each word there is a time in which no other is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emberline.features.errors import BadInputError


@dataclass(frozen=True)
class Word:
    """A word at a time.

    Args:
        milliseconds: Since the recording began.
        label: Which word.
    """

    milliseconds: float
    label: str


@dataclass(frozen=True)
class Spotting:
    """How probabilities become words.

    Args:
        average_milliseconds: Probabilities of so long a time are averaged.
        threshold: Their mean must be above this.
        suppression_milliseconds: For so long after a word no other is spotted.
        least: Windows that a mean is of, at least.
        silence: Label that is no word: after it the same word may be spotted again.
    """

    average_milliseconds: float = 500.0
    threshold: float = 0.7
    suppression_milliseconds: float = 1500.0
    least: int = 3
    silence: str = "_silence_"


@dataclass(frozen=True)
class StreamCounts:
    """Spotted words against those that were said.

    Args:
        said: Words that were said.
        matched: Of those, how many had a word spotted near them, the right one or another.
        correct: Spotted words near the same word, each of which counts once.
        wrong: Spotted words near others alone.
        false_positives: Spotted words near none.
    """

    said: int
    matched: int
    correct: int
    wrong: int
    false_positives: int


def spot(
    milliseconds: Sequence[float],
    probabilities: NDArray[np.floating],
    labels: Sequence[str],
    spotting: Spotting | None = None,
) -> list[Word]:
    """Returns the words in a recording.

    Args:
        milliseconds: When each window begins, rising.
        probabilities: Of each window, `[windows, labels]`.
        labels: Which words they are of.
        spotting: How probabilities become words; None for the usual.

    Raises:
        BadInputError: if times do not rise, or shapes do not fit.
    """
    times, spotting = np.asarray(milliseconds, float), spotting or Spotting()
    if probabilities.shape != (len(times), len(labels)) or (np.diff(times) <= 0).any():
        raise BadInputError(
            f"Expected rising times and probabilities [{len(times)}, {len(labels)}], got {probabilities.shape}."
        )
    found: list[Word] = []
    latest, latest_time = spotting.silence, -np.inf
    sums = np.concatenate([np.zeros((1, len(labels))), np.cumsum(probabilities, axis=0, dtype=float)])
    first = 0
    for index, time in enumerate(times):
        while times[first] < time - spotting.average_milliseconds:
            first += 1
        count = index - first + 1
        if count < spotting.least or time - times[first] < spotting.average_milliseconds / 4:
            continue
        mean = (sums[index + 1] - sums[first]) / count
        best = int(np.argmax(mean))
        waited = np.inf if latest == spotting.silence else time - latest_time
        if mean[best] > spotting.threshold and labels[best] != latest and waited > spotting.suppression_milliseconds:
            latest, latest_time = labels[best], time
            if latest != spotting.silence:
                found.append(Word(float(time), latest))
    return found


def streaming_counts(
    found: Sequence[Word], said: Sequence[Word], tolerance_milliseconds: float = 750.0
) -> StreamCounts:
    """Returns how well spotted words fit those that were said.

    Args:
        found: What `spot` gave.
        said: What was said, and when it began.
        tolerance_milliseconds: How far apart the two may be.
    """
    matched: set[int] = set()
    taken: set[int] = set()
    correct = wrong = 0
    for word in found:
        away = {index: abs(one.milliseconds - word.milliseconds) for index, one in enumerate(said)}
        near = [index for index, distance in away.items() if distance <= tolerance_milliseconds]
        same = [index for index in near if said[index].label == word.label and index not in taken]
        matched.update(near)
        if same:
            taken.add(min(same, key=away.__getitem__))
            correct += 1
        elif near:
            wrong += 1
    return StreamCounts(len(said), len(matched), correct, wrong, len(found) - correct - wrong)
