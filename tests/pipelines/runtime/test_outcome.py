"""How a job says what it cannot say itself: that the Java process below it, or its application, has ended."""

import json
from collections.abc import Callable

import pytest
from py4j.java_gateway import GatewayParameters, JavaGateway
from py4j.protocol import Py4JError
from pyspark import SparkContext

from emberline.pipelines.runtime.outcome import conclude


def ask_a_java_that_is_gone() -> object:
    return JavaGateway(gateway_parameters=GatewayParameters(port=9)).jvm.System.exit(0)


def fill_its_memory() -> object:
    raise RuntimeError("[INTERNAL_ERROR] You hit a bug in Spark\njava.lang.OutOfMemoryError: Java heap space")


class SpeechlessError(Exception):
    def __str__(self) -> str:
        return str(ask_a_java_that_is_gone())


def ask_for_its_words() -> object:
    raise SpeechlessError


def tidy_up_behind_it() -> object:
    try:
        return ask_a_java_that_is_gone()
    finally:
        raise RuntimeError("The session cannot be ended.")


def lose_the_application() -> object:
    """As a driver outside of the cluster sees it."""
    try:
        raise RuntimeError("Job 0 cancelled because SparkContext was shut down")
    finally:
        ask_a_java_that_is_gone()


def ask_another_server() -> object:
    raise ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (ask_a_java_that_is_gone, "Spark's Java process is gone."),
        (fill_its_memory, "Spark's Java process has no memory left."),
        (ask_for_its_words, "Spark's Java process is gone."),
        (tidy_up_behind_it, "Spark's Java process is gone."),
        (lose_the_application, "The cluster ended Spark's application while the job was at work."),
        (ask_another_server, "[Errno 111] Connection refused"),
    ],
)
def test_a_java_without_memory_is_named(
    work: Callable[[], object], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conclude("etl", work) == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["reason"].startswith(said)


def test_of_a_driver_in_a_container_the_cluster_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONTAINER_ID", "container_e17_1410901177871_0042_01_000001")
    for work in (ask_a_java_that_is_gone, lose_the_application):
        assert conclude("etl", work) == 1
        reason = json.loads(capsys.readouterr().out.splitlines()[-1])["reason"]
        assert reason.startswith("The cluster ended Spark's application application_1410901177871_0042 while")
        assert "yarn logs -applicationId application_1410901177871_0042" in reason
    assert conclude("etl", fill_its_memory) == 1
    assert "has no memory left" in json.loads(capsys.readouterr().out.splitlines()[-1])["reason"]


def ask_for_a_class_of_another_spark() -> object:
    raise Py4JError("org.apache.spark.Nothing does not exist in the JVM")


def test_a_class_that_is_not_there_is_of_no_memory_while_java_answers(
    spark: object, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert conclude("etl", ask_for_a_class_of_another_spark) == 1
    reason = json.loads(capsys.readouterr().out.splitlines()[-1])["reason"]
    assert reason == "org.apache.spark.Nothing does not exist in the JVM"
    monkeypatch.setattr(SparkContext, "_gateway", JavaGateway(gateway_parameters=GatewayParameters(port=9)))
    assert conclude("etl", ask_for_a_class_of_another_spark) == 1
    reason = json.loads(capsys.readouterr().out.splitlines()[-1])["reason"]
    assert reason.startswith("Spark's Java process is gone")
