"""What is expected of a whole data set, beyond single rows: limits, and what happens beyond them.

Declared in a recipe; `emberline.features.validation.anomalies` holds data against it. Imports nothing heavy.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from emberline.features.errors import BadInputError, nearest

AnomalyKind = Literal[
    "missing_column", "new_column", "type", "domain", "rejected", "missing", "missing_jump", "empty", "constant",
    "few_rows", "rows_jump", "absent_class", "single_class", "label_drift", "drift", "skew",
]  # fmt: skip
"""What can be wrong with a data set; docs/validation.md explains each."""

ANOMALY_KINDS: tuple[AnomalyKind, ...] = get_args(AnomalyKind)

STOPPING: tuple[AnomalyKind, ...] = ("missing_column", "type", "domain", "rejected", "few_rows", "absent_class")
"""What stops a step unless the recipe says otherwise: a model trained on such data is wrong, not only different."""


@dataclass(frozen=True)
class Limits:
    """How far one field may go. Shares are of rows, from 0 to 1; 1 is no limit.

    Args:
        missing: Largest share of good rows without a value.
        missing_jump: Largest change of that share since the previous version.
        faulty: Largest share of rows that this field alone may spoil, by type or by domain.
        drift: Largest distance from the previous version (`emberline.features.validation.drift` says which distance).
        skew: Largest distance between training rows and others: the held-out split, rows to score.

    Example:
        >>> from emberline.features.validation.expectations import Limits
        >>> Limits(missing=1.0, drift=0.3).skew
        0.1
    """

    missing: float = 0.9
    missing_jump: float = 0.1
    faulty: float = 0.05
    drift: float = 0.1
    skew: float = 0.1

    def __post_init__(self) -> None:
        for name in ("missing", "missing_jump", "faulty", "drift", "skew"):
            _require_share(name, getattr(self, name))


@dataclass(frozen=True)
class Expectations:
    """What a recipe expects of its data.

    Args:
        limits: For every field and the label.
        fields: Instead of `limits`, for single fields by name.
        rejected: Largest share of a split's rows that may be rejected.
        minimum_rows: Fewest good rows of a split.
        rows_jump: Largest factor between the row counts of this version and the previous one, either way.
        stop: Kinds of anomaly that stop the step; all others are warnings. `()` only warns.

    Raises:
        BadInputError: for a limit out of range, or an unknown kind.

    Example:
        >>> from emberline.features.validation.expectations import Expectations, Limits
        >>> strict = Expectations(Limits(drift=0.05), {"referrer": Limits(missing=1.0)}, minimum_rows=100_000)
        >>> strict.limits.drift, strict.fields["referrer"].missing
        (0.05, 1.0)
    """

    limits: Limits = field(default_factory=Limits)
    fields: Mapping[str, Limits] = field(default_factory=dict)
    rejected: float = 0.2
    minimum_rows: int = 1
    rows_jump: float = 5.0
    stop: tuple[str, ...] = STOPPING

    def __post_init__(self) -> None:
        _require_share("rejected", self.rejected)
        if self.rows_jump < 1:
            raise BadInputError(f"expectations.rows_jump is a factor of at least 1, got {self.rows_jump:g}.")
        for kind in self.stop:
            if kind not in ANOMALY_KINDS:
                raise BadInputError(
                    f"expectations.stop: there is no anomaly {kind!r}. {nearest(kind, ANOMALY_KINDS)} "
                    "Write several as \"('type', 'drift')\", none as \"()\"."
                )

    def of(self, name: str) -> Limits:
        """Returns the limits of the field `name`."""
        return self.fields.get(name, self.limits)


def _require_share(name: str, share: float) -> None:
    if not 0 <= share <= 1:
        raise BadInputError(f"expectations: {name} is a share of rows or a distance, from 0 to 1; got {share:g}.")
