"""Data sets held against expectations: every kind of anomaly, who stops, and what the report says."""

import dataclasses

import pytest

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.validation.anomalies import AnomalyError, report, require, scoring_skew, validate
from emberline.features.validation.checks import Anomaly, SplitFacts
from emberline.features.validation.expectations import ANOMALY_KINDS, Expectations, Limits

SCHEMA = Schema(
    (Field("age", "integer", minimum=0, maximum=130), Field("town", "string", allowed=("Ulm", "Bonn"))),
    Label("paid", (("no",), ("yes",))),
    "key",
)
AGE = FieldStatistics(
    1000, 0, minimum=0, maximum=100, mean=50, histogram=(100,) * 10, quantiles=tuple(float(age) for age in range(101))
)
TOWN = FieldStatistics(900, 100, distinct=2, top=(("Bonn", 600), ("Ulm", 300)))
GOOD = Statistics(1000, (700, 300), None, {"age": AGE, "town": TOWN})
CALM = Expectations()


def changed(statistics: Statistics = GOOD, **fields: FieldStatistics) -> Statistics:
    return dataclasses.replace(statistics, fields={**statistics.fields, **fields})


def only(anomalies: tuple[Anomaly, ...]) -> Anomaly:
    assert len(anomalies) == 1, report(anomalies)
    return anomalies[0]


def check(facts: SplitFacts, expectations: Expectations = CALM, previous: Statistics | None = None) -> Anomaly:
    return only(validate({"train": facts}, SCHEMA, expectations, previous))


def test_good_data_has_no_anomalies() -> None:
    both = {"train": SplitFacts(GOOD, columns=("age", "town", "paid", "key", "_raw")), "eval": SplitFacts(GOOD)}
    assert validate(both, SCHEMA, CALM, GOOD) == ()
    require(())


def test_a_missing_column_names_the_nearest() -> None:
    found = validate({"train": SplitFacts(GOOD, columns=("aeg", "town", "paid"))}, SCHEMA, CALM)
    assert [(one.kind, one.field, one.severity) for one in found] == [
        ("missing_column", "age", "stop"),
        ("new_column", "aeg", "warning"),
    ]
    assert "Did you mean 'aeg'?" in found[0].advice


def test_columns_that_the_data_set_knows_are_no_news() -> None:
    facts = SplitFacts(GOOD, columns=("age", "town", "paid", "fnlwgt"))
    assert check(facts).kind == "new_column"
    assert validate({"train": facts}, SCHEMA, CALM, known=("fnlwgt",)) == ()


@pytest.mark.parametrize(
    ("facts", "kind", "field", "observed"),
    [
        (SplitFacts(GOOD, 100, {("age", "type"): 100}), "type", "age", "100 of 1,100 rows are not integers (9.1%)"),
        (
            SplitFacts(GOOD, 100, {("town", "domain"): 100}),
            "domain",
            "town",
            "100 of 1,100 rows lie outside the domain (9.1%)",
        ),
        (SplitFacts(GOOD, 1000, {("", "row"): 1000}), "rejected", "", "1,000 of 2,000 rows rejected (50.0%)"),
        (
            SplitFacts(GOOD, 100, {("paid", "missing"): 60, ("paid", "domain"): 40}),
            "domain",
            "paid",
            "100 of 1,100 rows have no label that counts (9.1%)",
        ),
        (SplitFacts(changed(town=FieldStatistics(50, 950, distinct=2, top=TOWN.top))), "missing", "town", "95.0%"),
        (SplitFacts(changed(town=FieldStatistics(0, 1000, distinct=0))), "empty", "town", "no row has a value"),
        (
            SplitFacts(changed(town=FieldStatistics(1000, 0, distinct=1, top=(("Ulm", 1000),)))),
            "constant",
            "town",
            "one value only, 'Ulm'",
        ),
        (
            SplitFacts(changed(age=FieldStatistics(1000, 0, minimum=7, maximum=7))),
            "constant",
            "age",
            "one value only, 7",
        ),
        (SplitFacts(dataclasses.replace(GOOD, classes=(1000, 0))), "absent_class", "paid", "no row of class 'yes'"),
        (SplitFacts(Statistics(0)), "few_rows", "", "0 good rows"),
    ],
)
def test_one_data_set_alone(facts: SplitFacts, kind: str, field: str, observed: str) -> None:
    found = check(facts)
    assert (found.kind, found.field) == (kind, field)
    assert observed in found.observed
    assert found.severity == ("stop" if kind in CALM.stop else "warning")
    assert found.expected
    assert found.advice


def test_held_out_rows_of_one_class_are_told() -> None:
    held = SplitFacts(dataclasses.replace(GOOD, classes=(1000, 0)))
    (found,) = [
        one
        for one in validate({"train": SplitFacts(GOOD), "eval": held}, SCHEMA, CALM, None)
        if one.kind == "single_class"
    ]
    assert (found.field, found.split, found.severity) == ("paid", "eval", "warning")
    assert found.observed == "all 1,000 rows are of class 'no'"


def test_drift_since_the_previous_version() -> None:
    """Shares of Bonn 2/3 and 1/3: L-infinity is their difference."""
    before = changed(town=FieldStatistics(900, 100, distinct=2, top=(("Ulm", 600), ("Bonn", 300))))
    found = check(SplitFacts(GOOD), previous=before)
    assert (found.kind, found.field, found.severity) == ("drift", "town", "warning")
    assert found.observed == "L-infinity 0.333 from the previous version ('Bonn': 33.3% → 66.7%)"
    assert found.expected == "at most 0.1"
    assert check(SplitFacts(GOOD), Expectations(stop=("drift",)), before).severity == "stop"
    assert validate({"train": SplitFacts(GOOD)}, SCHEMA, Expectations(fields={"town": Limits(drift=0.4)}), before) == ()


def test_numbers_that_moved() -> None:
    older = FieldStatistics(
        1000, 0, minimum=50, maximum=150, mean=100, quantiles=tuple(float(age) for age in range(50, 151))
    )
    found = check(SplitFacts(GOOD), previous=changed(age=older))
    assert (found.kind, found.field) == ("drift", "age")
    # Half of each lies where the other has nothing: the divergence is 1/2, but for the bin at the border.
    assert 0.45 < float(found.observed.split()[1]) <= 0.51


def test_labels_that_moved() -> None:
    found = check(SplitFacts(GOOD), previous=dataclasses.replace(GOOD, classes=(400, 600)))
    assert (found.kind, found.field, found.observed) == (
        "label_drift",
        "paid",
        "L-infinity 0.300 from the previous version ('no': 40.0% → 70.0%)",
    )


def test_missing_values_that_came_and_rows_that_went() -> None:
    full = FieldStatistics(1000, 0, distinct=2, top=(("Bonn", 667), ("Ulm", 333)))
    found = check(SplitFacts(GOOD), Expectations(limits=Limits(missing_jump=0.05)), changed(town=full))
    assert (found.kind, found.observed) == ("missing_jump", "10.0% of rows have no value, 0.0% before")
    larger = dataclasses.replace(GOOD, rows=10_000)
    found = check(SplitFacts(GOOD), previous=larger)
    assert (found.kind, found.observed, found.expected) == (
        "rows_jump",
        "1,000 rows, 10,000 in the previous version",
        "2,000 to 50,000",
    )


def test_skew_between_training_rows_and_others() -> None:
    other = changed(town=FieldStatistics(900, 100, distinct=2, top=(("Ulm", 600), ("Bonn", 300))))
    found = only(validate({"train": SplitFacts(GOOD), "eval": SplitFacts(other)}, SCHEMA, CALM))
    assert (found.kind, found.field, found.split) == ("skew", "town", "eval")
    assert "from the training rows ('Bonn': 66.7% → 33.3%)" in found.observed
    unlabelled = dataclasses.replace(other, classes=())
    scored = only(scoring_skew(GOOD, SplitFacts(unlabelled, columns=("age", "town", "key")), SCHEMA, CALM))
    assert (scored.kind, scored.field, scored.split) == ("skew", "town", "scoring")


def test_stopping_names_every_anomaly() -> None:
    facts = SplitFacts(changed(age=FieldStatistics(1000, 0, minimum=7, maximum=7)), 500, {("town", "domain"): 500}, ())
    found = validate({"train": facts}, SCHEMA, CALM)
    assert [one.kind for one in found] == ["domain", "rejected", "constant"]
    with pytest.raises(AnomalyError) as raised:
        require(found)
    assert str(raised.value) == (
        "The data is not as its recipe expects (2 stop the step, 1 warn):\n"
        "  stop     domain        town (train): 500 of 1,500 rows lie outside the domain (33.3%); "
        "expected at most 5.0%. Declared: 'Ulm', 'Bonn'.\n"
        "  stop     rejected      train: 500 of 1,500 rows rejected (33.3%); expected at most 20.0%. "
        "The reasons stand in rejected/ and in the manifest.\n"
        "  warning  constant      age (train): one value only, 7; expected at least two values. "
        "A model learns nothing from it. Check the source, or drop the field.\n"
        "Correct the data, or change what is expected: --set expectations.<limit>=…; "
        "--set 'expectations.stop=()' only warns."
    )
    require(validate({"train": facts}, SCHEMA, Expectations(stop=())))


def test_expectations_that_make_no_sense() -> None:
    with pytest.raises(BadInputError, match=r"there is no anomaly 'drif'\. Did you mean 'drift'"):
        Expectations(stop=("drif",))
    with pytest.raises(BadInputError, match="missing is a share of rows or a distance, from 0 to 1; got 5"):
        Limits(missing=5)
    with pytest.raises(BadInputError, match="rows_jump is a factor of at least 1"):
        Expectations(rows_jump=0.5)
    with pytest.raises(BadInputError, match=r"there is no field 'twon'\. Did you mean 'town'"):
        validate({"train": SplitFacts(GOOD)}, SCHEMA, Expectations(fields={"twon": Limits()}))
    assert set(Expectations().stop) < set(ANOMALY_KINDS)
