"""What is wrong with a data set as a whole: its statistics against the schema, expectations and earlier statistics.

Works on statistics alone, without Spark. Single bad rows are put aside by `emberline.features.validation.rows`; here it
is asked whether there are too many of them, and whether the good ones are still the data that the model was made for.
"""

from collections.abc import Collection, Mapping, Sequence

from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics
from emberline.features.validation.checks import TRAIN, Anomaly, Checks, SplitFacts
from emberline.features.validation.expectations import ANOMALY_KINDS, Expectations


class AnomalyError(BadInputError):
    """Data that its recipe does not accept."""


def validate(
    splits: Mapping[str, SplitFacts],
    schema: Schema,
    expectations: Expectations,
    previous: Statistics | None = None,
    known: Collection[str] = (),
) -> tuple[Anomaly, ...]:
    """Returns everything that is wrong with a new data set.

    Args:
        splits: Its splits; `train` is compared with the previous version and with the other splits.
        schema: What its rows are.
        expectations: The limits, and what stops.
        previous: Statistics of the training split of the previous version, if there is one.
        known: Columns that are no news although the schema leaves them out, such as those of no use to a model.

    Raises:
        BadInputError: if an expectation is about a field that nobody knows.

    Returns:
        Anomalies, those that stop first, then in the order of `ANOMALY_KINDS` and of the schema.
    """
    for name in expectations.fields:
        if name not in {*schema.names, *known}:
            raise BadInputError(f"expectations.fields: there is no field {name!r}. {nearest(name, schema.names)}")
    checks = Checks(schema, expectations)
    found: list[Anomaly] = []
    for name, facts in splits.items():
        found += checks.columns(name, facts.columns, set(known))
        found += checks.rows(name, facts)
        for item in schema.fields:
            found += checks.field(name, item, facts)
        for label in schema.labels:
            found += checks.label(name, label, facts)
    train = splits.get(TRAIN)
    if train is not None:
        for name, facts in splits.items():
            if name != TRAIN:
                found += checks.distances("skew", name, train.statistics, facts.statistics)
        if previous is not None:
            found += checks.since(previous, train.statistics)
    return _sorted(found, schema)


def scoring_skew(
    training: Statistics, scoring: SplitFacts, schema: Schema, expectations: Expectations
) -> tuple[Anomaly, ...]:
    """Returns what is wrong with rows to score, for a model that was trained on others.

    Args:
        training: Statistics that travel with the model in its `features.json`.
        scoring: Facts about the rows to score; they have no label.
        schema: The raw fields that the model asks for.
        expectations: The limits, and what stops.
    """
    checks = Checks(schema, expectations)
    found = [
        *checks.columns("scoring", scoring.columns, {label.name for label in schema.labels}),
        *checks.rows("scoring", scoring),
    ]
    for item in schema.fields:
        found += checks.field("scoring", item, scoring)
    found += checks.distances("skew", "scoring", training, scoring.statistics)
    return _sorted(found, schema)


def report(anomalies: Sequence[Anomaly]) -> str:
    """Returns all of them, one per line, for people; empty if there are none."""
    return "\n".join(f"  {item.severity:<7}  {item.kind:<12}  {item}" for item in anomalies)


def require(anomalies: Sequence[Anomaly]) -> None:
    """Stops the step if one of the anomalies is a reason to.

    Raises:
        AnomalyError: naming every anomaly, those that only warn included.
    """
    stopping = sum(anomaly.severity == "stop" for anomaly in anomalies)
    if stopping:
        warnings = len(anomalies) - stopping
        raise AnomalyError(
            f"The data is not as its recipe expects ({stopping} stop the step, {warnings} warn):\n{report(anomalies)}\n"
            "Correct the data, or change what is expected: --set expectations.<limit>=…; "
            "--set 'expectations.stop=()' only warns."
        )


def _sorted(found: list[Anomaly], schema: Schema) -> tuple[Anomaly, ...]:
    place = {name: index for index, name in enumerate(["", *schema.names])}
    return tuple(
        sorted(
            found,
            key=lambda one: (one.severity != "stop", ANOMALY_KINDS.index(one.kind), place.get(one.field, len(place))),
        )
    )
