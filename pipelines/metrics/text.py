"""Metrics of written text: perplexity of its tokens, and BLEU and METEOR against reference texts."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from emberline.pipelines.metrics.grouped import ALL, GROUP, GroupMetrics, groups_of, require_rows, spread

BLEU_ORDER = 4
"""Longest n-grams that BLEU counts."""

LARGEST_LOSS = 300.0
"""Mean loss from which a perplexity is as good as infinite."""

Stem = Callable[[str], str]

_SUMS = {
    "length": "long",
    "closest": "long",
    **{f"{kind}_{n}": "long" for kind in ("right", "all") for n in range(1, BLEU_ORDER + 1)},
    "meteor": "double",
    "rows": "long",
}


def loss_per_token(texts: DataFrame, loss: str, tokens: str) -> dict[int, GroupMetrics]:
    """Returns the mean loss of a token, by group of texts.

    Args:
        texts: One row per text; with its groups, if it has more than one (see
            `emberline.pipelines.metrics.grouped.spread`).
        loss: Column of the sums of the losses of a text's tokens.
        tokens: Column of numbers of tokens.

    Returns:
        `loss`, `tokens` and `rows`; groups without tokens are left out.

    Raises:
        BadInputError: if there are no tokens at all.
    """
    rows = spread(texts.select(loss, tokens, *groups_of(texts)))
    sums = rows.groupBy(GROUP).agg(
        F.sum(F.col(loss).cast("double")).alias("loss"),
        F.sum(F.col(tokens).cast("double")).alias("tokens"),
        F.count(F.lit(1)).alias("rows"),
    )
    found = {row[GROUP]: row for row in sums.collect() if row["tokens"]}
    require_rows(found[ALL]["tokens"] if ALL in found else 0)
    return {
        group: GroupMetrics({"loss": row["loss"] / row["tokens"], "tokens": row["tokens"], "rows": float(row["rows"])})
        for group, row in sorted(found.items())
    }


def perplexities(texts: DataFrame, loss: str, tokens: str) -> dict[int, GroupMetrics]:
    """Returns `perplexity`, exp of the mean loss of a token (infinite from a loss of 300), beside what `loss_per_token`
    gives.

    Args:
        texts: As there.
        loss: Column of the sums, over a text's tokens, of -ln of the probability the model gave them.
        tokens: As there.

    Raises:
        BadInputError: if there are no tokens at all.
    """
    return {
        group: GroupMetrics({"perplexity": perplexity_of(found.metrics["loss"])} | found.metrics)
        for group, found in loss_per_token(texts, loss, tokens).items()
    }


def perplexity_of(loss: float) -> float:
    """Returns exp of a mean loss, infinite from 300.

    Example:
        >>> round(perplexity_of(2.0), 3)
        7.389
    """
    return math.exp(loss) if loss < LARGEST_LOSS else math.inf


def text_metrics(texts: DataFrame, written: str, references: str, stem: Stem | None = None) -> GroupMetrics:
    """Returns BLEU of all texts together, and the mean METEOR of each.

    Args:
        texts: One row per text.
        written: Column of arrays of words that the model wrote.
        references: Column of arrays of reference texts, each an array of words.
        stem: Words of equal stem count as equal to METEOR where the words themselves do not fit, for example
            `nltk.stem.PorterStemmer().stem`. Synonyms never do.

    Returns:
        `bleu` (0 to 1; Papineni et al., "BLEU", ACL 2002: the geometric mean of the clipped precisions of 1- to
        4-grams, times the brevity penalty of the closest reference lengths; no smoothing: 0 if nothing fits at one
        length), `bleu_1` ... `bleu_4` (the precisions), `brevity_penalty`, `meteor` (Banerjee and Lavie, "METEOR", ACL
        workshop 2005: 10PR / (R + 9P), less by 0.5 (chunks / matches)^3; in lower case; the best reference counts)
        and `rows`.

    Raises:
        BadInputError: if there are no texts.
    """
    words = texts.select(F.col(written).alias("written"), F.col(references).alias("references"))
    counted = words.mapInArrow(_Texts(stem), ", ".join(f"{name} {kind}" for name, kind in _SUMS.items()))
    sums = counted.agg(*(F.sum(name).alias(name) for name in _SUMS)).collect()[0]
    require_rows(sums["rows"] or 0)
    precisions = [sums[f"right_{n}"] / sums[f"all_{n}"] if sums[f"all_{n}"] else 0.0 for n in range(1, BLEU_ORDER + 1)]
    length, closest = sums["length"], sums["closest"]
    brevity = 1.0 if length > closest else math.exp(1 - closest / length) if length else 0.0
    mean = math.exp(sum(map(math.log, precisions)) / BLEU_ORDER) if all(precisions) else 0.0
    return GroupMetrics(
        {
            "bleu": brevity * mean,
            **{f"bleu_{n}": precision for n, precision in enumerate(precisions, 1)},
            "brevity_penalty": brevity,
            "meteor": sums["meteor"] / sums["rows"],
            "rows": float(sums["rows"]),
        }
    )


def bleu_counts(written: Sequence[str], references: Sequence[Sequence[str]]) -> list[int]:
    """Returns what BLEU adds up: length, length of the closest reference (of two, the shorter), right and all n-grams
    by n.
    """
    sizes = sorted(map(len, references))
    closest = min(sizes, key=lambda size: abs(size - len(written)), default=0)
    right, total = [], []
    for n in range(1, BLEU_ORDER + 1):
        mine, allowed = _grams(written, n), Counter[tuple[str, ...]]()
        for reference in references:
            allowed |= _grams(reference, n)
        right.append(sum((mine & allowed).values()))
        total.append(sum(mine.values()))
    return [len(written), closest, *right, *total]


def meteor(written: Sequence[str], reference: Sequence[str], stem: Stem | None = None) -> float:
    """Returns METEOR of one text against one reference.

    Args:
        written: Words.
        reference: Words.
        stem: See `text_metrics`.

    Words are matched from the last to the first, each with the last equal word that is left, as nltk does: that keeps
    runs of words together, and need not be the mapping with the fewest crossings.

    Example:
        >>> round(meteor("a red boat".split(), "a red boat".split()), 3)
        0.981
    """
    mine, its = dict(enumerate(map(str.lower, written))), dict(enumerate(map(str.lower, reference)))
    matches: dict[int, int] = {}
    for change in (str, stem) if stem else (str,):
        places = defaultdict(list)
        for place, word in its.items():
            places[change(word)].append(place)
        for place in sorted(mine, reverse=True):
            if same := places[change(mine[place])]:
                matches[place] = same.pop()
        mine = {place: word for place, word in mine.items() if place not in matches}
        taken = set(matches.values())
        its = {place: word for place, word in its.items() if place not in taken}
    if not matches:
        return 0.0
    precision, recall = len(matches) / len(written), len(matches) / len(reference)
    chunks = sum(matches.get(place - 1) != other - 1 for place, other in matches.items())
    return 10 * precision * recall / (recall + 9 * precision) * (1 - 0.5 * (chunks / len(matches)) ** 3)


def _grams(words: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(zip(*(words[start:] for start in range(n)), strict=False))


class _Texts:
    """Runs in an executor: texts in, sums of each batch out."""

    def __init__(self, stem: Stem | None) -> None:
        self.stem = stem

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            texts = list(zip(*(batch.column(name).to_pylist() for name in ("written", "references")), strict=True))
            counts = [sum(column) for column in zip(*(bleu_counts(*text) for text in texts), strict=True)]
            scores = [max((meteor(mine, one, self.stem) for one in others), default=0.0) for mine, others in texts]
            if texts:
                sums = [*counts, math.fsum(scores), len(texts)]
                yield pa.RecordBatch.from_arrays([pa.array([value]) for value in sums], names=list(_SUMS))
