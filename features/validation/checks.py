"""The single checks of a data set against its schema and its recipe's expectations; `anomalies` runs them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from emberline.features.errors import nearest
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.validation.drift import Distance, class_distance, distance
from emberline.features.validation.expectations import AnomalyKind, Expectations

TRAIN = "train"


@dataclass(frozen=True)
class Anomaly:
    """One thing that is not as expected.

    Args:
        kind: What it is.
        field: The field, the label or the column; empty for the whole data set.
        split: Where it was seen.
        severity: `stop` or `warning`.
        observed: What was found.
        expected: What would have been accepted.
        advice: What to do.
    """

    kind: AnomalyKind
    field: str
    split: str
    severity: str
    observed: str
    expected: str
    advice: str

    def __str__(self) -> str:
        about = f"{self.field} ({self.split})" if self.field else self.split
        return f"{about}: {self.observed}; expected {self.expected}. {self.advice}"


@dataclass(frozen=True)
class SplitFacts:
    """What is known of one split, or of one day's rows.

    Args:
        statistics: Of its good rows.
        rejected: Rows put aside.
        faults: Rejected rows by field and kind, as `emberline.features.validation.rows.fault_counts` gives them.
        columns: Columns of the raw rows, where they carry names.
    """

    statistics: Statistics
    rejected: int = 0
    faults: Mapping[tuple[str, str], int] = field(default_factory=dict)
    columns: Sequence[str] = ()


def field_distances(schema: Schema, before: Statistics, now: Statistics) -> dict[str, Distance]:
    """Returns how far each field, and the label, has moved; fields with nothing to compare are left out."""
    found: dict[str, Distance] = {}
    for item in schema.fields:
        if item.name in before.fields and item.name in now.fields:
            moved = distance(item, before.fields[item.name], now.fields[item.name])
            if moved is not None:
                found[item.name] = moved
    for label in schema.labels:
        then, today = before.about(label.name), now.about(label.name)
        moved = None
        if then.label is not None and today.label is not None:
            moved = distance(None, then.label, today.label)
        elif len(then.classes) == len(today.classes):
            moved = class_distance(then.classes, today.classes, label.class_names)
        if moved is not None:
            found[label.name] = moved
    return found


class Checks:
    """One method per subject; each yields what it finds."""

    def __init__(self, schema: Schema, expectations: Expectations) -> None:
        self.schema = schema
        self.expectations = expectations

    def columns(self, split: str, present: Sequence[str], known: set[str]) -> Iterator[Anomaly]:
        if not present:
            return
        wanted = [name for name in self.schema.names if name != self.schema.key]
        public = [name for name in present if not name.startswith("_")]
        unnamed = [name for name in public if name not in {*wanted, *known, self.schema.key}]
        for name in wanted:
            if name not in public and name not in known:
                yield self._anomaly(
                    "missing_column",
                    name,
                    split,
                    "no such column",
                    "a column of this name",
                    f"{nearest(name, unnamed)} Rename the column where the data comes from, or drop the field.",
                )
        for name in unnamed:
            yield self._anomaly(
                "new_column",
                name,
                split,
                "a column that the schema does not know",
                f"{len(wanted)} known columns",
                "Nothing reads it. Declare it as a field of the data set, or leave it out.",
            )

    def rows(self, split: str, facts: SplitFacts) -> Iterator[Anomaly]:
        good, expected = facts.statistics.rows, self.expectations
        if good < expected.minimum_rows:
            yield self._anomaly(
                "few_rows",
                "",
                split,
                f"{good:,} good rows",
                f"at least {expected.minimum_rows:,}",
                "Check that all files have arrived.",
            )
        read = good + facts.rejected
        if read and facts.rejected / read > expected.rejected:
            yield self._anomaly(
                "rejected",
                "",
                split,
                f"{facts.rejected:,} of {read:,} rows rejected ({facts.rejected / read:.1%})",
                f"at most {expected.rejected:.1%}",
                "The reasons stand in rejected/ and in the manifest.",
            )

    def field(self, split: str, item: Field, facts: SplitFacts) -> Iterator[Anomaly]:
        limits = self.expectations.of(item.name)
        read = facts.statistics.rows + facts.rejected
        problems: dict[AnomalyKind, str] = {"type": f"are not {_article(item)}", "domain": "lie outside the domain"}
        for kind, problem in problems.items():
            rows = facts.faults.get((item.name, kind), 0)
            if read and rows / read > limits.faulty:
                yield self._anomaly(
                    kind,
                    item.name,
                    split,
                    f"{rows:,} of {read:,} rows {problem} ({rows / read:.1%})",
                    f"at most {limits.faulty:.1%}",
                    "See rejected/ for such rows." if kind == "type" else f"Declared: {_domain(item)}.",
                )
        found = facts.statistics.fields.get(item.name)
        if found is None or not facts.statistics.rows:
            return
        missing = missing_share(found)
        if not found.count:
            yield self._anomaly(
                "empty",
                item.name,
                split,
                "no row has a value",
                "values",
                "A model learns nothing from it. Check the source, or drop the field.",
            )
        elif missing > limits.missing:
            yield self._anomaly(
                "missing",
                item.name,
                split,
                f"{missing:.1%} of rows have no value",
                f"at most {limits.missing:.1%}",
                "Check the source, or raise the field's limit.",
            )
        if found.count and _constant(found):
            yield self._anomaly(
                "constant",
                item.name,
                split,
                f"one value only, {_only(found)}",
                "at least two values",
                "A model learns nothing from it. Check the source, or drop the field.",
            )

    def label(self, split: str, label: Label, facts: SplitFacts) -> Iterator[Anomaly]:
        name, statistics = label.name, facts.statistics.about(label.name)
        limits, read = self.expectations.of(name), statistics.rows + facts.rejected
        bad = sum(facts.faults.get((name, kind), 0) for kind in ("type", "domain", "missing"))
        if read and bad / read > limits.faulty:
            yield self._anomaly(
                "domain",
                name,
                split,
                f"{bad:,} of {read:,} rows have no label that counts ({bad / read:.1%})",
                f"at most {limits.faulty:.1%}",
                "See rejected/ for such rows.",
            )
        if split != TRAIN:
            present = [name for name, rows in zip(label.class_names, statistics.classes, strict=False) if rows]
            if len(present) == 1 and len(label.class_names) > 1:
                yield self._anomaly(
                    "single_class",
                    name,
                    split,
                    f"all {statistics.rows:,} rows are of class {present[0]!r}",
                    "rows of two classes",
                    "Metrics that need two, such as AUC, are left out, and no gate may ask for them. Hold out more.",
                )
            return
        for class_name, rows in zip(label.class_names, statistics.classes, strict=False):
            if statistics.rows and not rows:
                yield self._anomaly(
                    "absent_class",
                    name,
                    split,
                    f"no row of class {class_name!r}",
                    "rows of every class",
                    "A model cannot learn a class it never sees. Check the source or the label's classes.",
                )

    def since(self, previous: Statistics, now: Statistics) -> Iterator[Anomaly]:
        limit = self.expectations.rows_jump
        if previous.rows and now.rows and not 1 / limit <= now.rows / previous.rows <= limit:
            yield self._anomaly(
                "rows_jump",
                "",
                TRAIN,
                f"{now.rows:,} rows, {previous.rows:,} in the previous version",
                f"{previous.rows / limit:,.0f} to {previous.rows * limit:,.0f}",
                "Check that every file came once.",
            )
        for item in self.schema.fields:
            before, after = previous.fields.get(item.name), now.fields.get(item.name)
            if before is None or after is None:
                continue
            shares = missing_share(before), missing_share(after)
            jump = self.expectations.of(item.name).missing_jump
            if abs(shares[1] - shares[0]) > jump:
                yield self._anomaly(
                    "missing_jump",
                    item.name,
                    TRAIN,
                    f"{shares[1]:.1%} of rows have no value, {shares[0]:.1%} before",
                    f"a change of at most {jump:.1%}",
                    "Check what changed in the source.",
                )
        yield from self.distances("drift", TRAIN, previous, now)

    def distances(self, kind: AnomalyKind, split: str, before: Statistics, now: Statistics) -> Iterator[Anomaly]:
        against = "the previous version" if kind == "drift" else "the training rows"
        for name, moved in field_distances(self.schema, before, now).items():
            limits = self.expectations.of(name)
            limit = limits.drift if kind == "drift" else limits.skew
            if moved.value <= limit:
                continue
            about_label = name in {label.name for label in self.schema.labels}
            yield self._anomaly(
                "label_drift" if about_label and kind == "drift" else kind,
                name,
                split,
                f"{moved.measure} {moved.value:.3f} from {against}" + (f" ({moved.where})" if moved.where else ""),
                f"at most {limit:g}",
                "Check what changed in the source; if the world has changed, train again.",
            )

    def _anomaly(self, kind: AnomalyKind, name: str, split: str, observed: str, expected: str, advice: str) -> Anomaly:
        severity = "stop" if kind in self.expectations.stop else "warning"
        return Anomaly(kind, name, split, severity, observed, expected, advice)


def missing_share(facts: FieldStatistics) -> float:
    """Returns the share of rows without a value."""
    return facts.missing / ((facts.count + facts.missing) or 1)


def _constant(facts: FieldStatistics) -> bool:
    if facts.minimum is not None:
        return facts.minimum == facts.maximum and facts.count > 1
    return facts.distinct == 1 and facts.count > 1


def _only(facts: FieldStatistics) -> str:
    return f"{facts.minimum:g}" if facts.minimum is not None else repr(facts.top[0][0]) if facts.top else "?"


def _article(item: Field) -> str:
    single = {"integer": "integers", "float": "numbers", "string": "texts", "image": "images", "sound": "sounds"}[
        item.kind
    ]
    return f"arrays of {single}" if item.array else single


def _domain(item: Field) -> str:
    parts = []
    if item.array and item.shape:
        parts.append(f"shape {item.shape}")
    if item.minimum is not None:
        parts.append(f"at least {item.minimum:g}")
    if item.maximum is not None:
        parts.append(f"at most {item.maximum:g}")
    if item.allowed:
        words = ", ".join(map(repr, item.allowed[:8]))
        parts.append(words + (f" and {len(item.allowed) - 8} more" if len(item.allowed) > 8 else ""))
    if item.is_file:
        return f"bytes of {'an image' if item.kind == 'image' else 'a WAV file'}"
    return "; ".join(parts) or "finite numbers without gaps"
