"""Arguments of `score --stream`, which go together."""

import pytest

from emberline.features.errors import BadInputError
from emberline.jobs.score import parser
from emberline.pipelines.console.score_stream import is_stream

PLAIN = ["--pipeline", "iris_dnn", "--model", "models:/m/1", "--input", "in", "--output", "out"]
TOPIC = [*PLAIN[:4], "--input", "kafka:in", "--output", "out"]
STREAM = [*TOPIC, "--stream", "--brokers", "one:9092", "--checkpoint", "c"]


def test_what_goes_together() -> None:
    assert not is_stream(parser().parse_args(PLAIN))
    assert is_stream(parser().parse_args([*STREAM, "--available-now", "--max-per-batch", "5", "--starting", "latest"]))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (TOPIC, "kafka:TOPIC goes with --stream"),
        ([*PLAIN, "--brokers", "one:9092", "--available-now"], "--brokers, --available-now go with --stream"),
        ([*TOPIC, "--stream"], "--stream needs --brokers, --checkpoint"),
        ([*STREAM, "--overwrite", "--partition-by", "day"], "--overwrite, --partition-by do not go with --stream"),
        ([*STREAM, "--option", "sep=;"], "--option do not go with --stream"),
        ([*STREAM, "--output-table", "a.b"], "--output-table do not go with --stream"),
    ],
)
def test_what_does_not_is_said(words: list[str], said: str) -> None:
    with pytest.raises(BadInputError, match=said):
        is_stream(parser().parse_args(words))
