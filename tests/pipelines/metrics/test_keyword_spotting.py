"""Words spotted in probabilities over time, and counted against those that were said."""

import numpy as np
import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.keyword_spotting import Spotting, StreamCounts, Word, spot, streaming_counts

LABELS = ("_silence_", "yes", "no")


def stream(*parts: tuple[int, int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Times every 30 ms, and probabilities: for so many windows this label has this probability, silence the rest."""
    rows = []
    for windows, label, probability in parts:
        row = np.zeros(3)
        row[0] = 1 - probability
        row[label] += probability
        rows += [row] * windows
    return np.arange(len(rows)) * 30.0, np.array(rows)


def slowly(times: np.ndarray, probabilities: np.ndarray, spotting: Spotting) -> list[Word]:
    """The rules again, window by window, as they are told."""
    found, latest, when = [], "_silence_", -np.inf
    for time in times:
        inside = (times <= time) & (times >= time - spotting.average_milliseconds)
        if inside.sum() < spotting.least or time - times[inside][0] < spotting.average_milliseconds / 4:
            continue
        mean = probabilities[inside].mean(axis=0)
        label = LABELS[int(mean.argmax())]
        free = latest == "_silence_" or time - when > spotting.suppression_milliseconds
        if mean.max() > spotting.threshold and label != latest and free:
            latest, when = label, time
            found += [Word(time, label)] if label != "_silence_" else []
    return found


def test_a_word_is_spotted_once_its_mean_is_high() -> None:
    times, probabilities = stream((50, 0, 1), (30, 1, 0.9), (60, 0, 1), (30, 2, 0.95), (60, 0, 1))
    found = spot(times, probabilities, LABELS)
    assert [word.label for word in found] == ["yes", "no"]
    # 500 ms are 17 windows: 0.9 of 14 of them is above 0.7.
    assert found[0].milliseconds == (50 + 13) * 30
    assert spot(times, probabilities, LABELS, Spotting(threshold=0.96)) == []


@pytest.mark.parametrize("seed", range(5))
def test_the_rules_are_those_that_are_told(seed: int) -> None:
    draw = np.random.default_rng(seed)
    levels = np.repeat(draw.dirichlet((0.3, 0.3, 0.3), 60), 12, axis=0)
    times = np.cumsum(draw.uniform(10, 50, len(levels)))
    for spotting in (Spotting(), Spotting(300, 0.5, 400, 5)):
        assert spot(times, levels, LABELS, spotting) == slowly(times, levels, spotting)


def test_near_words_are_right_or_wrong_and_others_false() -> None:
    said = [Word(1000, "yes"), Word(4000, "no"), Word(8000, "yes"), Word(12_000, "no")]
    found = [Word(1200, "yes"), Word(1600, "yes"), Word(4700, "yes"), Word(6000, "no"), Word(7300, "yes")]
    assert streaming_counts(found, said) == StreamCounts(4, matched=3, correct=2, wrong=2, false_positives=1)
    assert streaming_counts([], said) == StreamCounts(4, 0, 0, 0, 0)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(BadInputError, match="rising times"):
        spot([0, 0], np.zeros((2, 3)), LABELS)
    with pytest.raises(BadInputError, match="rising times"):
        spot([0, 1], np.zeros((2, 2)), LABELS)
