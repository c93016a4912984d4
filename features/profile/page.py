"""`profile.html`: everything known about a dataset version, as one page that needs nothing beside itself."""

import importlib.resources
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jinja2
import markupsafe

from emberline.features.profile.charts import BARS, Chart, bars, figure, histogram, share
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.validation.checks import Anomaly, field_distances, missing_share
from emberline.features.validation.drift import Distance, listed_counts

PROFILE = "profile.html"
PREVIOUS = "previous"
OPEN_FIELDS = 6
"""With at most so many fields, all are shown in full at once."""

LONGEST_TEXT = 60
"""Characters of a value that the page shows; the rest is in its tool tip, up to ten times as much."""


@dataclass(frozen=True)
class ProfileInput:
    """What the page shows.

    Args:
        title: The recipe, or whatever the rows are called.
        schema: Fields, in the order of the page.
        splits: Statistics of each split, the training split first; all others are compared with it.
        previous: Statistics of the previous version's training split.
        anomalies: As `emberline.features.validation.anomalies.validate` gave them.
        facts: Lines of the header, such as the dataset's URI and digest.
        synthetic: What to say about synthetic data; empty for real data.
        rows_read: Raw rows.
        rows_rejected: Rows put aside.
        reasons: Rows put aside by reason.
    """

    title: str
    schema: Schema
    splits: Mapping[str, Statistics]
    previous: Statistics | None = None
    anomalies: Sequence[Anomaly] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    synthetic: str = ""
    rows_read: int = 0
    rows_rejected: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def series(self) -> dict[str, Statistics]:
        """Everything that is drawn, by name."""
        return {**self.splits, **({PREVIOUS: self.previous} if self.previous is not None else {})}


@dataclass(frozen=True)
class _Bar:
    value: str
    full: str
    shares: Mapping[str, float]
    counts: Mapping[str, int | None]


@dataclass(frozen=True)
class _Entry:
    """One field as the template takes it."""

    name: str
    type: str
    group: str
    missing: float | None
    distinct: int | None
    gist: str
    chart: Chart | None
    bars: Sequence[_Bar]
    rest: str
    measures: Sequence[tuple[str, Sequence[str]]]
    distances: Sequence[tuple[str, Distance]]
    anomalies: Sequence[Anomaly]

    @property
    def moved(self) -> float | None:
        """The largest of its distances."""
        return max((moved.value for _, moved in self.distances), default=None)


def profile_html(profile: ProfileInput) -> str:
    """Returns the page; every name and value in it is escaped."""
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {"figure": figure, "share": share, "breakable": _breakable}
    source = importlib.resources.files("emberline.features.profile").joinpath("page.html").read_text(encoding="utf-8")
    look = importlib.resources.files("emberline.features.profile").joinpath("look.css").read_text(encoding="utf-8")
    series = profile.series
    main = next(iter(profile.splits))
    distances = {
        label: (
            field_distances(profile.schema, other, series[main])
            if label == PREVIOUS
            else field_distances(profile.schema, series[main], other)
        )
        for label, other in series.items()
        if label != main
    }
    known = {item.name: item for item in profile.schema.fields}
    entries = [_entry(profile, item, distances) for item in known.values() if item.name in series[main].fields]
    entries += [_label_entry(profile, label, distances) for label in profile.schema.more_labels]
    return environment.from_string(source).render(
        profile=profile,
        look=markupsafe.Markup(look),
        series=list(series),
        rows={label: statistics.rows for label, statistics in series.items()},
        entries=entries,
        label=_label_entry(profile, profile.schema.label, distances),
        all_open=len(entries) <= OPEN_FIELDS,
        places={entry.name: f"field-{index}" for index, entry in enumerate(entries)}
        | {profile.schema.label.name: "label"},
    )


def _breakable(name: str) -> markupsafe.Markup:
    """Returns a name that may go on in the next line after each of its words."""
    return markupsafe.escape(name).replace("_", markupsafe.Markup("_<wbr>"))


def _entry(profile: ProfileInput, item: Field, distances: Mapping[str, Mapping[str, Distance]]) -> _Entry:
    series = {label: found.fields[item.name] for label, found in profile.series.items() if item.name in found.fields}
    return _described(
        profile,
        item.name,
        _type(item),
        series,
        distances,
        whole=item.kind == "integer",
        text=item.kind == "string",
        many=item.several,
    )


def _label_entry(profile: ProfileInput, label: Label, distances: Mapping[str, Mapping[str, Distance]]) -> _Entry:
    series = {}
    for name, found in profile.series.items():
        statistics = found.about(label.name)
        if label.classes and len(statistics.classes) == len(label.classes):
            top = tuple(zip(label.class_names, statistics.classes, strict=True))
            series[name] = FieldStatistics(sum(statistics.classes), 0, distinct=len(top), top=top)
        elif statistics.label is not None:
            series[name] = statistics.label
    kind = f"label, {len(label.classes)} classes" if label.classes else "label, number"
    return _described(profile, label.name, kind, series, distances, whole=False, text=bool(label.classes), many=False)


def _described(
    profile: ProfileInput,
    name: str,
    kind: str,
    series: Mapping[str, FieldStatistics],
    distances: Mapping[str, Mapping[str, Distance]],
    *,
    whole: bool,
    text: bool,
    many: bool,
) -> _Entry:
    main = next(iter(series.values()), FieldStatistics(0, 0))
    numeric = main.minimum is not None
    listed = _bars(series)
    shares = {label: {bar.full: bar.shares[label] for bar in listed} for label in series}
    drawn = histogram(name, series, whole=whole) if numeric else bars(name, shares, [bar.full for bar in listed])
    outside = (main.distinct or len(listed)) - len(listed)
    return _Entry(
        name=name,
        type=kind,
        group="text" if text else "number",
        missing=missing_share(main) if main.count or main.missing else None,
        distinct=main.distinct,
        gist=_gist(main, listed),
        chart=drawn,
        bars=listed,
        rest=f"and {outside:,} more values" if outside > 0 and listed else "",
        measures=_measures(list(profile.series), series, many=many),
        distances=[(label, found[name]) for label, found in distances.items() if name in found],
        anomalies=[anomaly for anomaly in profile.anomalies if anomaly.field == name],
    )


def _type(item: Field) -> str:
    if item.shape:
        return f"{item.kind} [{' × '.join(map(str, item.shape))}]"
    if item.tokens:
        return "tokens"
    return f"many {item.kind}s" if item.many else item.kind


def _gist(facts: FieldStatistics, listed: Sequence[_Bar]) -> str:
    """Returns the field in a few words."""
    if facts.minimum is not None and facts.minimum == facts.maximum:
        return f"always {figure(facts.minimum)}"
    if facts.image is not None:
        height, width = facts.image.heights, facts.image.widths
        return f"mean size {figure(width[1])} × {figure(height[1])}" if height and width else "images"
    if facts.sound is not None:
        return f"mean length {figure(facts.sound.seconds[1])} s"
    if facts.mean is not None:
        return f"{figure(facts.mean)} ± {figure(facts.deviation)}"
    return f"{listed[0].value} {share(next(iter(listed[0].shares.values())))}" if listed else "no value"


def _bars(series: Mapping[str, FieldStatistics]) -> list[_Bar]:
    """Returns the values with the largest share in any series; the main series gives the order."""
    tops = {label: listed_counts(facts) for label, facts in series.items()}
    totals = {label: max(facts.values or facts.count, 1) for label, facts in series.items()}
    shares: dict[str, dict[str, float]] = {}
    for label, top in tops.items():
        for value, count in top.items():
            shares.setdefault(value, dict.fromkeys(series, 0.0))[label] = count / totals[label]
    largest = sorted(shares, key=lambda value: (-max(shares[value].values()), value))[:BARS]
    main = next(iter(series), "")
    largest.sort(key=lambda value: (-shares[value][main], value))
    return [
        _Bar(
            value if len(value) <= LONGEST_TEXT else value[: LONGEST_TEXT - 1] + "…",
            value[: 10 * LONGEST_TEXT],
            shares[value],
            {label: top.get(value, 0 if _complete(series[label]) else None) for label, top in tops.items()},
        )
        for value in largest
    ]


def _complete(facts: FieldStatistics) -> bool:
    return facts.distinct is not None and facts.distinct <= len(facts.top)


def _measures(
    labels: Sequence[str], series: Mapping[str, FieldStatistics], *, many: bool
) -> list[tuple[str, Sequence[str]]]:
    """Returns rows of the table of figures: name and one text per series; rows nobody has a figure for are left out."""
    empty = FieldStatistics(0, 0)
    columns = [series.get(label, empty) for label in labels]
    rows: list[tuple[str, Sequence[str]]] = [
        ("rows with a value", [figure(facts.count) for facts in columns]),
        ("missing", [f"{figure(facts.missing)} ({share(missing_share(facts))})" for facts in columns]),
    ]
    optional: list[tuple[str, list[float | None]]] = [
        ("values", [facts.values if many else None for facts in columns]),
        ("distinct", [facts.distinct for facts in columns]),
        ("mean", [facts.mean for facts in columns]),
        ("deviation", [facts.deviation for facts in columns]),
        ("minimum", [facts.minimum for facts in columns]),
        *((f"{part:.0%} quantile", [_quantile(facts, part) for facts in columns]) for part in (0.05, 0.5, 0.95)),
        ("maximum", [facts.maximum for facts in columns]),
        ("zeros", [facts.zeros for facts in columns]),
    ]
    rows += [
        (name, [figure(value) for value in found]) for name, found in optional if any(v is not None for v in found)
    ]
    for name, ranges in (
        ("values per row", [facts.lengths for facts in columns]),
        ("characters", [facts.text_lengths for facts in columns]),
        ("height", [facts.image and facts.image.heights for facts in columns]),
        ("width", [facts.image and facts.image.widths for facts in columns]),
        ("seconds", [facts.sound and facts.sound.seconds for facts in columns]),
        ("samples per second", [facts.sound and facts.sound.rates for facts in columns]),
        ("level in decibels", [facts.sound and facts.sound.levels for facts in columns]),
        ("mean of each channel", [facts.image and facts.image.means for facts in columns]),
        ("deviation of each channel", [facts.image and facts.image.deviations for facts in columns]),
    ):
        if any(ranges):
            rows.append((name, [" / ".join(figure(value) for value in found) if found else "–" for found in ranges]))
    return rows


def _quantile(facts: FieldStatistics, part: float) -> float | None:
    return facts.quantiles[round(part * (len(facts.quantiles) - 1))] if len(facts.quantiles) > 1 else None
