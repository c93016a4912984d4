"""What Spark learned about the raw fields: plain numbers, readable without Spark or TensorFlow."""

from dataclasses import asdict, dataclass, field
from typing import Any

from features.errors import BadInputError, nearest


@dataclass(frozen=True)
class FieldStatistics:
    """Facts about one raw field of the training split.

    Args:
        count: Rows with a value.
        missing: Rows without one.
        mean: Arithmetic mean (numbers only).
        deviation: Population standard deviation (numbers only).
        minimum: Smallest value (numbers only).
        maximum: Largest value (numbers only).
        log_mean: Mean of log(1 + x) over values x >= 0 (numbers only).
        log_deviation: Population standard deviation of the same.
        quantiles: Values at equally spaced ranks, ends included (numbers only).
        distinct: Number of different values (strings only).
        vocabulary: Values by falling count, ties by value: `(value, count)` (strings only).
    """

    count: int
    missing: int
    mean: float | None = None
    deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    log_mean: float | None = None
    log_deviation: float | None = None
    quantiles: tuple[float, ...] = ()
    distinct: int | None = None
    vocabulary: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Statistics:
    """Statistics of every field, and of the label.

    Args:
        rows: Rows analysed.
        positive: How many of them carry the label 1.
        fields: Statistics by field name.
    """

    rows: int
    positive: int
    fields: dict[str, FieldStatistics] = field(default_factory=dict)

    def of(self, name: str) -> FieldStatistics:
        """Statistics of the field `name`.

        Raises:
            BadInputError: if nothing was learned about it.
        """
        if name not in self.fields:
            raise BadInputError(f"No statistics for field {name!r}. {nearest(name, self.fields)}")
        return self.fields[name]

    def to_json(self) -> dict[str, Any]:
        """A plain description; `from_json` reads it back."""
        return {
            "rows": self.rows,
            "positive": self.positive,
            "fields": {
                name: {key: value for key, value in asdict(facts).items() if value is not None and value != ()}
                for name, facts in sorted(self.fields.items())
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Statistics":
        """The reverse of `to_json`."""
        fields = {
            name: FieldStatistics(
                **{
                    **facts,
                    "quantiles": tuple(facts.get("quantiles", ())),
                    "vocabulary": tuple((word, count) for word, count in facts.get("vocabulary", ())),
                }
            )
            for name, facts in data["fields"].items()
        }
        return cls(data["rows"], data["positive"], fields)
