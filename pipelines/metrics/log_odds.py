"""Counts of scores by their log-odds: vectors of one length, which workers add up, and areas under curves from them.

Equal parts of the probability itself would put all scores of a rare event into the first of them.
"""

import numpy as np
from numpy.typing import NDArray

WIDTH = 2.0**-11
"""Log-odds that one bin spans: a probability in it is within 0.05 % of its neighbours, however small it is."""

BINS = 1 << 17
"""From -32 to 32, which is a probability of 1e-14; what is beyond counts in the first and the last bin."""


def counted(probability: NDArray[np.floating]) -> NDArray[np.int64]:
    """Counts rows by bin: `[BINS]`.

    Args:
        probability: From 0 to 1, `[rows]`. One that is no number counts in the first bin: of such a network the loss
            tells, and training ends at the next checkpoint.
    """
    exact = np.asarray(probability, np.float64)
    with np.errstate(divide="ignore"):
        odds = np.nan_to_num(np.log(exact) - np.log1p(-exact), nan=-np.inf, neginf=-np.inf, posinf=np.inf)
    places = np.clip(np.floor(odds / WIDTH) + BINS // 2, 0, BINS - 1)
    return np.bincount(places.astype(np.int64), minlength=BINS)


def area(negatives: NDArray[np.number], positives: NDArray[np.number]) -> float:
    """Returns the area under the ROC curve.

    A pair of a negative and a positive in the same bin counts as half in order. It is therefore off by at most half the
    share of pairs that are: by 1e-4 at most where no bin has more than 1/5,000 of either kind, equal scores aside,
    which are exact. Between neighbours both errors occur, so that what is left of them is far less.

    Args:
        negatives: By bin.
        positives: By bin; there is at least one of each.
    """
    below = np.cumsum(negatives) - negatives / 2
    return float(positives @ below / (negatives.sum() * positives.sum()))
