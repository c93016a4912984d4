"""`score --stream` on a real broker: into files exactly once, into a topic at least once, whatever ends the process."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from benchmarks.scoring_models import register
from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.tabular.iris import SCHEMA as IRIS
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.score import score
from emberline.pipelines.score_topic import Stream, StreamResult, score_topic
from emberline.pipelines.scoring.streaming.kafka import Kafka, NoBrokerError
from emberline.pipelines.tracking import Tracker
from tests.real.conftest import python_path
from tests.real.kafka import SPARK_PACKAGE, Broker, connector

NAME = "emberline-benchmark-iris_dnn"
FIELDS = ("sepal_length", "sepal_width", "petal_length", "petal_width")
BAD = {
    "{": "the message is no JSON at character 1: Expecting property name enclosed in double quotes",
    "[1, 2]": "the message is no JSON object",
    '{"colour": "blue"}': "the message has no field of the model, such as sepal_length",
    '{"row": "b1", "sepal_length": "tall", "sepal_width": 1, "petal_length": 1, "petal_width": 1}':
        "sepal_length: 'tall' is not a number",
    '{"row": "b2", "sepal_length": 101, "sepal_width": 1, "petal_length": 1, "petal_width": 1}':
        "sepal_length: '101' is above 100",
    '{"row": "b3", "sepal_length": 1, "sepal_width": 1, "petal_length": 1}':
        "petal_width: no value, and one is required",
}  # fmt: skip


def flowers(count: int, first: int = 0) -> dict[str, str]:
    """Messages by key; a fifth has numbers as texts, as some producers write them."""
    draw = np.random.default_rng(5)
    found = {}
    for number, values in enumerate(draw.uniform(0.1, 8, (first + count, 4)).round(2).tolist()):
        row = dict(zip(FIELDS, map(str, values) if number % 100 >= 80 else values, strict=True))
        found[f"f{number:05d}"] = json.dumps({"row": f"f{number:05d}", **row, "place": "meadow"})
    return dict(list(found.items())[first:])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    server = Broker(tmp_path_factory.mktemp("kafka"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """With Spark's package on the class path, and a registry."""
    sides = " ".join(f"--conf spark.{side}.extraClassPath={connector()}" for side in ("driver", "executor"))
    store = tmp_path_factory.mktemp("mlflow")
    return {"PYSPARK_SUBMIT_ARGS": f"{sides} pyspark-shell", "MLFLOW_TRACKING_URI": f"sqlite:///{store}/mlflow.db"}


@pytest.fixture(scope="module")
def spark(environment: dict[str, str]) -> Iterator[SparkSession]:
    """A session of this process, for streams that nobody kills."""
    with session("kafka", "local[2]", {"spark.driver.extraClassPath": connector()}) as found:
        yield found


@pytest.fixture(scope="module")
def tracker(environment: dict[str, str]) -> Tracker:
    return Tracker(environment["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first flowers as a table."""
    folder = tmp_path_factory.mktemp("rows")
    read = [json.loads(message) for message in flowers(300).values()]
    columns = {name: [float(row[name]) for row in read] for name in FIELDS}
    pq.write_table(pa.table({"row": [row["row"] for row in read]} | columns), folder / "rows.parquet")
    return folder


@pytest.fixture(scope="module")
def model(spark: SparkSession, tracker: Tracker, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A registered network, untrained, that is champion."""
    uri = register(spark, tracker, load_recipe("iris_dnn"), IRIS, str(rows), tmp_path_factory.mktemp("model"))
    tracker.client.set_registered_model_alias(NAME, "champion", "1")
    assert uri == f"models:/{NAME}/1"
    return f"models:/{NAME}@champion"


def command(broker: Broker, model: str, source: str, output: object, checkpoint: Path, *more: object) -> list[str]:
    return [
        "score", "--stream", "--pipeline", "iris_dnn", "--model", model, "--brokers", broker.address, "--input",
        f"kafka:{source}", "--output", str(output), "--checkpoint", str(checkpoint), "--master", "local[2]",
        *map(str, more),
    ]  # fmt: skip


STARTED: list[subprocess.Popen[str]] = []


def start(words: list[str], environment: dict[str, str]) -> subprocess.Popen[str]:
    STARTED.append(
        subprocess.Popen([sys.executable, "-m", "emberline", *words], env=python_path() | environment,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    )  # fmt: skip
    return STARTED[-1]


@pytest.fixture(autouse=True)
def nothing_stays() -> Iterator[None]:
    """Ends what a test that failed left running."""
    yield
    for process in STARTED:
        process.kill()
    STARTED.clear()


def wait_for(condition: Any, process: subprocess.Popen[str], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate(timeout=60)[1][-3000:]
        assert time.monotonic() < deadline, "too long"
        time.sleep(0.1)


def predictions(folder: Path) -> list[dict[str, Any]]:
    """What readers of the folder see: no hidden files or folders."""
    found = [path for path in folder.glob("batch=*/*.parquet") if not path.name.startswith((".", "_"))]
    rows = [row for path in found for row in pq.read_table(path, partitioning=None).to_pylist()]
    return sorted(rows, key=lambda row: (row["source_partition"], row["source_offset"]))


def rejected(folder: Path) -> list[dict[str, Any]]:
    return [row for path in folder.glob("_rejected/batch=*/*.parquet")
            for row in pq.read_table(path, partitioning=None).to_pylist()]  # fmt: skip


def places(rows: list[dict[str, Any]]) -> Counter[tuple[int, int]]:
    return Counter((row["source_partition"], row["source_offset"]) for row in rows)


@pytest.fixture(scope="module")
def by_file(spark: SparkSession, model: str, tracker: Tracker, rows: Path, tmp_path_factory: pytest.TempPathFactory):
    """What `score` says of the same flowers in a file: class and score by key."""
    out = tmp_path_factory.mktemp("file") / "out"
    score(spark, None, model, str(rows), str(out), tracker)
    return {row["row"]: (row["class"], row["score"]) for row in pq.read_table(out).to_pylist()}


Run = Callable[..., StreamResult]


@pytest.fixture(scope="module")
def run(broker: Broker, spark: SparkSession, model: str, tracker: Tracker) -> Run:
    """Scores what is there, in this process."""

    def finish(source: str, output: object, checkpoint: Path, **given: Any) -> StreamResult:
        stream = Stream(Kafka(broker.address), f"kafka:{source}", f"file://{checkpoint}", available_now=True, **given)
        where = str(output) if str(output).startswith("kafka:") else f"file://{output}"
        return score_topic(spark, load_recipe("iris_dnn"), model, stream, where, tracker)

    return finish


def test_what_is_there_becomes_files_and_bad_messages_are_kept(
    broker: Broker, run: Run, by_file: dict[str, tuple[int, float]], tmp_path: Path
) -> None:
    out, checkpoint = tmp_path / "out", tmp_path / "checkpoint"
    broker.create("files")
    broker.send("files", [*flowers(200).values(), *BAD])
    done = run("files", out, checkpoint)
    assert (done.rows_read, done.rows_scored, done.rows_rejected, done.stopped_by, done.version) == (206, 200, 6, "", 1)
    rows = predictions(out)
    for row in rows:
        known, score = by_file[row["row"]]
        assert (row["class"], row["source_topic"], row["model_version"]) == (known, "files", 1)
        assert row["score"] == pytest.approx(score, rel=1e-5)
    assert sorted(row["row"] for row in rows) == sorted(flowers(200))
    bad = rejected(out)
    assert {row["raw"]: row["reason"] for row in bad} == BAD
    sources = [row["source"].split("/") for row in bad]
    assert {topic for topic, _, _ in sources} == {"files"}
    everything = set(places(rows)) | {(int(partition), int(offset)) for _, partition, offset in sources}
    assert len(everything) == 206, "each has a place of its own"

    broker.send("files", flowers(100, first=200).values())
    again = run("files", out, checkpoint)
    assert (again.rows_read, again.rows_scored) == (100, 100)
    assert sorted(row["row"] for row in predictions(out)) == sorted(flowers(300))
    with pytest.raises(BadInputError, match="numbers its batches from 0"):
        run("files", out, tmp_path / "new")
    with pytest.raises(BadInputError, match="is of the stream from kafka:files into"):
        run("files", tmp_path / "other", checkpoint)
    assert len(predictions(out)) == 300


def test_files_hold_each_message_once_over_kills(
    broker: Broker, run: Run, model: str, environment: dict[str, str], tmp_path: Path
) -> None:
    broker.create("killed")
    messages = flowers(1200)
    broker.send("killed", messages.values())
    out, checkpoint = tmp_path / "out", tmp_path / "checkpoint"
    words = command(broker, model, "killed", out, checkpoint, "--available-now", "--max-per-batch", 100)
    chance = random.Random(3)
    for kill in range(2):
        process = start(words, environment)
        before = len(list(out.glob("batch=*")))
        wait_for(lambda before=before: len(list(out.glob("batch=*"))) > before + 1, process)
        time.sleep(chance.uniform(0, 1.5))
        killed = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        assert killed, f"kill {kill}: it had ended"
        assert max(places(predictions(out)).values()) == 1
    run("killed", out, checkpoint, most=1000)
    rows = predictions(out)
    assert sorted(row["row"] for row in rows) == sorted(messages)
    assert max(places(rows).values()) == 1
    assert not [path for path in tmp_path.iterdir() if ".staging-" in path.name]


def test_sigterm_ends_it_behind_a_whole_batch_and_the_model_stays(
    broker: Broker, run: Run, model: str, tracker: Tracker, environment: dict[str, str], tmp_path: Path
) -> None:
    broker.create("stopped")
    out, checkpoint = tmp_path / "out", tmp_path / "checkpoint"
    words = command(broker, model, "stopped", out, checkpoint, "--max-per-batch", 100, "--every", 1.5)
    client = tracker.client
    first = client.get_model_version(NAME, "1")
    process = start(words, environment)
    try:
        broker.send("stopped", flowers(100).values())
        wait_for(lambda: len(predictions(out)) == 100, process)
        broker.stop()  # and what comes then is waited for
        second = client.create_model_version(NAME, first.source, first.run_id, tags=first.tags)
        client.set_registered_model_alias(NAME, "champion", second.version)
        time.sleep(3)
        broker.start()
        broker.send("stopped", flowers(2900, first=100).values())
        wait_for(lambda: len(predictions(out)) > 100, process)
        begun = time.monotonic()
        process.send_signal(signal.SIGTERM)
        stdout, stderr = process.communicate(timeout=300)
        print("seconds to stop:", time.monotonic() - begun)
    finally:
        process.kill()
    assert process.returncode == 0, stderr[-3000:]
    result = json.loads(stdout.splitlines()[-1])
    rows = predictions(out)
    assert (result["stopped_by"], result["rows_scored"], result["version"]) == ("SIGTERM", len(rows), 1)
    assert {row["model_version"] for row in rows} == {1}, "it is the version of the start, whatever the alias says"
    assert 100 < len(rows) < 3000, "it did not wait for the end"
    assert len(list((checkpoint / "commits").glob("[0-9]*"))) == len(list(out.glob("batch=*"))), "all are whole"
    assert "Traceback" not in stderr
    experiments = [found.experiment_id for found in client.search_experiments()]
    runs = client.search_runs(experiments, "tags.`emberline.stopped_by` = 'SIGTERM'")
    assert [(run.info.status, run.data.metrics["rows_scored"]) for run in runs] == [("FINISHED", len(rows))]

    assert run("stopped", out, checkpoint, most=1000).version == 2, "a restart takes the champion of then"
    rows = predictions(out)
    assert max(places(rows).values()) == 1
    assert sorted(row["row"] for row in rows) == sorted(flowers(3000))
    client.set_registered_model_alias(NAME, "champion", "1")


def test_a_topic_gets_each_message_at_least_once_with_its_place(
    broker: Broker, run: Run, model: str, environment: dict[str, str], by_file: dict[str, tuple[int, float]],
    tmp_path: Path,
) -> None:  # fmt: skip
    broker.create("asked", "answered", "answered.rejected")
    broker.send("asked", [*flowers(300).values(), *BAD])
    checkpoint = tmp_path / "checkpoint"
    words = command(broker, model, "asked", "kafka:answered", checkpoint, "--available-now", "--max-per-batch", 20)
    process = start(words, environment)
    wait_for(lambda: len(list((checkpoint / "commits").glob("[0-9]*"))) > 2, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    run("asked", "kafka:answered", checkpoint)
    answers = [(key, json.loads(value)) for _, _, key, value in broker.read("answered")]
    assert {key for key, _ in answers} == set(flowers(300))
    once = {(answer["source_partition"], answer["source_offset"]): answer for _, answer in answers}
    assert len(once) == 300, "a consumer that keeps one message of each place has each once"
    assert len(answers) <= 320, "no more than one batch comes again"
    for key, answer in answers:
        assert (key, answer["class"], answer["source_topic"]) == (answer["row"], by_file[key][0], "asked")
        assert answer["score"] == pytest.approx(by_file[key][1], rel=1e-5)
    bad = [json.loads(value) for _, _, _, value in broker.read("answered.rejected")]
    assert {row["raw"]: row["reason"] for row in bad} == BAD
    assert not list((checkpoint / "_outbox").glob("batch=*")), "what was sent is gone"


def test_a_stream_begins_where_it_is_told(broker: Broker, run: Run, tmp_path: Path) -> None:
    broker.create("begun", partitions=1)
    broker.send("begun", flowers(20).values())
    for starting, expected in (("latest", 0), ('{"0": 7}', 13), ("earliest", 20)):
        folder = tmp_path / str(expected)
        assert run("begun", folder / "out", folder / "checkpoint", starting=starting).rows_read == expected


def test_what_is_lacking_is_said(
    broker: Broker, run: Run, model: str, environment: dict[str, str], emberline, tmp_path: Path
) -> None:
    broker.create("lacking")
    plain = {name: value for name, value in environment.items() if name != "PYSPARK_SUBMIT_ARGS"}
    done = emberline(*command(broker, model, "lacking", tmp_path / "out", tmp_path / "c"), env=plain)
    assert done.code == 2, done.stderr[-3000:]
    assert f"--packages {SPARK_PACKAGE}" in done.result["reason"]
    with pytest.raises(BadInputError, match=r"No topic 'lackin'.*'lacking'"):
        run("lackin", tmp_path / "out", tmp_path / "c")
    with pytest.raises(BadInputError, match="No topic 'nowhere'"):
        run("lacking", "kafka:nowhere", tmp_path / "c")
    assert os.listdir(tmp_path) == []


def test_a_broker_that_is_not_there_or_takes_no_such_client(broker: Broker, spark: SparkSession, run: Run) -> None:
    with pytest.raises(NoBrokerError, match=r"No broker of 127\.0\.0\.1:9 answered"):
        Kafka("127.0.0.1:9").require(spark, ["lacking"])
    settings = {"security.protocol": "SASL_NOTHING", "ssl.key.password": "sesame"}
    with pytest.raises(BadInputError, match="does not take its settings") as caught:
        Kafka(broker.address, settings).require(spark, ["lacking"])
    assert "sesame" not in str(caught.value)


def test_messages_that_are_gone_need_a_person(broker: Broker, run: Run, tmp_path: Path) -> None:
    broker.create("gone", partitions=1)
    broker.send("gone", flowers(50).values())
    out, checkpoint = tmp_path / "out", tmp_path / "c"
    assert run("gone", out, checkpoint).rows_read == 50
    broker.delete("gone")
    time.sleep(2)
    broker.create("gone", partitions=1)
    broker.send("gone", flowers(10).values())
    with pytest.raises(BadInputError, match="another --checkpoint and another --output"):
        run("gone", out, checkpoint)
    assert len(predictions(out)) == 50
