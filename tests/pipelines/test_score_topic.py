"""What a stream says about itself. Real brokers are in tests/real/test_kafka.py."""

import json
from typing import Any

import pytest

from emberline.pipelines.score_topic import messages_behind


@pytest.mark.parametrize("form", [json.dumps, lambda value: value], ids=["text", "read"])
def test_messages_behind_are_counted_over_partitions(form: Any) -> None:
    ends, latest = {"a": {"0": 5, "1": 7}}, {"a": {"0": 9, "1": 7, "2": 3}}
    assert messages_behind({"sources": [{"endOffset": form(ends), "latestOffset": form(latest)}]}) == 7


@pytest.mark.parametrize("nothing", [None, "null", ""])
def test_what_spark_does_not_know_is_not_counted(nothing: Any) -> None:
    known = {"a": {"0": 5}}
    assert messages_behind({"sources": [{"endOffset": known, "latestOffset": nothing}]}) is None
    assert messages_behind({"sources": [{"endOffset": known}]}) is None
