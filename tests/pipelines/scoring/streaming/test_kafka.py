"""Where a stream begins, and settings of Kafka's client. Real brokers are in tests/real/test_kafka.py."""

import json
from pathlib import Path

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.scoring.streaming.kafka import Kafka, lost_messages, read_settings, starting_offsets, topic_of


def test_addresses_of_topics() -> None:
    assert topic_of("kafka:clicks") == "clicks"
    assert topic_of("file:///clicks") is None


@pytest.mark.parametrize("given", ["earliest", "latest"])
def test_words_stay(given: str) -> None:
    assert starting_offsets(given, "clicks") == given


@pytest.mark.parametrize("given", ['{"0": 23, "1": -2}', '{"clicks": {"0": 23, "1": -2}}'])
def test_offsets_are_of_the_topic(given: str) -> None:
    assert json.loads(starting_offsets(given, "clicks")) == {"clicks": {"0": 23, "1": -2}}


@pytest.mark.parametrize(
    "given", ["yesterday", "[1]", "{}", '{"0": "1"}', '{"a": 1}', '{"others": {"0": 1}}', "{", "7"]
)
def test_what_is_no_offset_is_refused(given: str) -> None:
    with pytest.raises(BadInputError, match=r"--starting takes earliest, latest, or an offset per partition"):
        starting_offsets(given, "clicks")


def test_settings_of_a_file_reach_spark_and_nobody_else(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.write_text('# login\n\nsecurity.protocol = SASL_SSL\nsasl.jaas.config=a.B required password="se=same";\n')
    kafka = Kafka("one:9092,two:9092", read_settings(str(path)))
    assert kafka.options == {
        "kafka.bootstrap.servers": "one:9092,two:9092",
        "kafka.security.protocol": "SASL_SSL",
        "kafka.sasl.jaas.config": 'a.B required password="se=same";',
    }
    assert "same" not in repr(kafka)


def test_a_line_that_is_no_setting_is_named_without_its_text(tmp_path: Path) -> None:
    path = tmp_path / "client.properties"
    path.write_text("security.protocol=SSL\nsesame\n")
    with pytest.raises(BadInputError, match="Line 2 of ") as caught:
        read_settings(str(path))
    assert "sesame" not in str(caught.value)
    with pytest.raises(BadInputError, match="does not exist"):
        read_settings(str(tmp_path / "nothing"))


def test_messages_that_are_gone_are_named() -> None:
    said = (
        "[STREAM_FAILED] Query [id = 1] terminated with exception: Some data may have been lost because they are not "
        "available in Kafka any more;\neither …\nIf you don't want your streaming query to fail on such cases, set the "
        "source option failOnDataLoss to false.\nReason: Partition gone-0 offset was changed from 50 to 10.\nThis "
        "could be either … SQLSTATE: XXKST\n=== Streaming Query ==="
    )
    assert lost_messages(said) == "Partition gone-0 offset was changed from 50 to 10."
    assert lost_messages("[STREAM_FAILED] something else") == ""
