"""Synthetic texts of two kinds, of which one likes some words more than the other."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from emberline.pipelines.datasets.synthetic import binary_scores


@dataclass(frozen=True)
class OpinionatedTexts:
    """Texts, their kinds, and what can be expected.

    Args:
        texts: Words joined by blanks.
        verdicts: 0 or 1 for each, in turns.
        best: Scores of the true probability of the second kind, given all words.
    """

    texts: list[str]
    verdicts: list[int]
    best: dict[str, float]


def opinionated_texts(
    words: Sequence[str], rows: int, length: int, seed: int, *, strength: float = 0.6
) -> OpinionatedTexts:
    """Returns texts of a Zipf-distributed language.

    Args:
        words: The language, most frequent first.
        rows: How many texts.
        length: Words of a text in the mean.
        seed: Of the draws.
        strength: Standard deviation of half the log odds that a word gives.
    """
    generator = np.random.default_rng(seed)
    frequency = 1.0 / (np.arange(len(words)) + 10.0)
    liking = generator.normal(0, strength, len(words))
    shares = np.stack([frequency * np.exp(-liking), frequency * np.exp(liking)])
    shares /= shares.sum(axis=1, keepdims=True)
    verdict = np.arange(rows) % 2
    lengths = 1 + generator.poisson(length - 1, rows)
    chosen = [generator.choice(len(words), size, p=shares[side]) for size, side in zip(lengths, verdict, strict=True)]
    odds = np.log(shares[1]) - np.log(shares[0])
    probability = 1 / (1 + np.exp(-np.array([odds[one].sum() for one in chosen])))
    listed = np.array(words)
    texts = [" ".join(listed[one]) for one in chosen]
    return OpinionatedTexts(texts, verdict.tolist(), binary_scores(verdict.astype(float), probability))
