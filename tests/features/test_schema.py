"""The schema: round trip, subsets, and errors that name the nearest field."""

import pytest

from emberline.features.errors import BadInputError, nearest
from emberline.features.schema import Field, Label, Schema

SCHEMA = Schema(
    (Field("age", "integer", ("?",), minimum=0), Field("job", "string", default="?", allowed=("a", "b"))),
    Label("label", (("no",), ("yes",))),
    "row",
)


def test_it_survives_json() -> None:
    assert Schema.from_json(SCHEMA.to_json()) == SCHEMA


def test_a_subset_keeps_order_and_refuses_unknown_names() -> None:
    assert [field.name for field in SCHEMA.subset({"job"}).fields] == ["job"]
    with pytest.raises(BadInputError, match=r"No field 'jub' in the data\. Did you mean 'job'\?"):
        SCHEMA.subset({"jub"})


def test_nearest_lists_everything_when_nothing_is_close() -> None:
    assert nearest("zzz", ["b", "a"]) == "Known: a, b."
    assert nearest("zzz", []) == "Known: none."
