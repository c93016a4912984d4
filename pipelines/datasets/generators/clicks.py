"""Synthetic click logs in the official format, whose clicks follow a known logistic model.

Counts have long tails and categories follow Zipf's law, up to 20,000 values each. A click depends on the logarithms
of the counts, on the frequent values of the categories, and on two pairs of categories together; rare values say
nothing, so that what there is to know can be learned from this many rows.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from emberline.features import storage
from emberline.pipelines.datasets.readers.raw_table import KEY_LENGTH
from emberline.pipelines.datasets.splits import is_held_out
from emberline.pipelines.datasets.synthetic import Synthetic, binary_scores, write_facts, write_lines

ROWS = {"train.txt": 300_000, "test.txt": 5_000}
COUNTS = 13
CARDINALITIES = (
    1_000, 500, 20_000, 10_000, 200, 20, 5_000, 400, 3, 8_000, 3_000, 20_000, 2_500,
    25, 6_000, 20_000, 10, 2_000, 1_500, 4, 20_000, 15, 16, 10_000, 70, 6_000,
)  # fmt: skip
"""Different values of each category."""

TELLING = 30
"""The most frequent values of a category move the odds of a click; the others do not."""

PAIRS = ((5, 13), (16, 22))
"""Categories, counted from 0, whose combination matters: C6 with C14, and C17 with C23."""

ZIPF = 1.1


def generate(directory: str, *, seed: int) -> Synthetic:
    """Writes `train.txt`, `test.txt` (without labels) and `synthetic.json`.

    Args:
        directory: Folder or URI; made if absent.
        seed: The same seed gives the same bytes.

    Returns:
        The best achievable scores on the held-out tenth of `train.txt`.
    """
    generator = np.random.default_rng(seed)
    truth = _Truth(generator)
    storage.make_dirs(directory)
    best: dict[str, float] = {}
    for name, rows in ROWS.items():
        fields, probability = truth.draw(generator, rows)
        if name.startswith("test"):
            write_lines(directory, name, ["\t".join(row) for row in zip(*fields, strict=True)])
            continue
        label = (generator.random(rows) < probability).astype(float)
        lines = ["\t".join(row) for row in zip(np.where(label > 0, "1", "0").tolist(), *fields, strict=True)]
        write_lines(directory, name, lines)
        held = np.array([held_out(line) for line in lines])
        best = binary_scores(label[held], probability[held])
    return write_facts(directory, Synthetic(best, seed))


def held_out(line: str) -> bool:
    """Returns whether a row is in the held-out tenth."""
    return is_held_out(hashlib.sha256(line.encode()).hexdigest()[:KEY_LENGTH])


class _Truth:
    """The model behind the clicks, drawn once."""

    def __init__(self, generator: np.random.Generator) -> None:
        self.centres = generator.uniform(0.5, 4.0, COUNTS)
        self.slopes = generator.normal(0, 0.25, COUNTS)
        self.absent = np.where(generator.random(COUNTS + len(CARDINALITIES)) < 0.4, generator.uniform(0, 0.4), 0.0)
        self.effects = [
            np.pad(generator.normal(0, 0.3, min(size, TELLING)), (0, max(size - TELLING, 0))) for size in CARDINALITIES
        ]
        self.together = [generator.normal(0, 0.5, (CARDINALITIES[a], CARDINALITIES[b])) for a, b in PAIRS]
        self.words = [
            np.array([f"{(rank * 2_654_435_761 + column * 97_531 + 7) % 2**32:08x}" for rank in range(size)])
            for column, size in enumerate(CARDINALITIES)
        ]

    def draw(self, generator: np.random.Generator, rows: int) -> tuple[list[list[str]], NDArray[np.float64]]:
        """Returns the fields of `rows` rows, column by column as texts, and the probability of a click of each."""
        logit = np.full(rows, -1.3)
        fields = []
        for column, (centre, slope) in enumerate(zip(self.centres, self.slopes, strict=True)):
            count = np.floor(generator.lognormal(centre, 1.2, rows)).astype(int)
            here = generator.random(rows) >= self.absent[column]
            amount = np.log1p(np.where(here, count, 0))  # no count is as good as none
            # The first three matter most at a middling amount, which a straight line cannot say.
            bump = 1.2 * np.exp(-((amount - centre) ** 2)) - 0.6 if column < 3 else 0.0
            logit += slope * (amount - centre) + bump
            fields.append(np.where(here, count.astype(str), "").tolist())
        ranks = []
        for column, size in enumerate(CARDINALITIES):
            shares = np.arange(1, size + 1) ** -ZIPF
            rank = np.searchsorted(np.cumsum(shares) / shares.sum(), generator.random(rows)).clip(max=size - 1)
            here = generator.random(rows) >= self.absent[COUNTS + column]
            logit += np.where(here, self.effects[column][rank], 0.0)
            fields.append(np.where(here, self.words[column][rank], "").tolist())
            ranks.append(np.where(here, rank, -1))
        for (a, b), effects in zip(PAIRS, self.together, strict=True):
            both = (ranks[a] >= 0) & (ranks[b] >= 0)
            logit += np.where(both, effects[ranks[a], ranks[b]], 0.0)
        return fields, 1 / (1 + np.exp(-logit))
