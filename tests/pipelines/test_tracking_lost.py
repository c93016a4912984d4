"""A tracking server that dies under a step: the step goes on, and nothing it told is lost."""

import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from emberline.features.errors import BadInputError
from emberline.pipelines.tracking import Run, Tracker, delivery


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def steps_of(client: MlflowClient, run: str, metric: str = "loss") -> list[int]:
    return [point.step for point in client.get_metric_history(run, metric)]


@pytest.mark.slow
def test_what_was_told_while_the_server_was_away_arrives(mlflow_server, tmp_path: Path, capsys) -> None:
    tracker = Tracker(mlflow_server.uri)
    with tracker.step("flowers", "train", keep=str(tmp_path / "kept")) as run:
        run.log_metrics({"loss": 1.0}, 1)
        until(lambda: steps_of(tracker.client, run.id) == [1])
        mlflow_server.kill()
        for step in range(2, 50):
            run.log_metrics({"loss": 1 / step}, step)
        run.log_tags({"told": "while it was away"})
        run.log_text("<h1>away</h1>", "page.html")
        until(lambda: list((tmp_path / "kept").glob("_undelivered-*")))
        mlflow_server.start()
    client = MlflowClient(mlflow_server.uri)
    assert steps_of(client, run.id) == list(range(1, 50))
    found = client.get_run(run.id)
    assert (found.info.status, found.data.tags["told"]) == ("FINISHED", "while it was away")
    assert "page.html" in [item.path for item in client.list_artifacts(run.id)]
    assert not list(tmp_path.iterdir()), "what was delivered is not kept"
    assert "MLflow answers again" in capsys.readouterr().err


@pytest.mark.slow
def test_what_never_arrived_is_kept_with_the_command_that_uploads_it(
    mlflow_server, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LAST_SECONDS", 1)
    tracker = Tracker(mlflow_server.uri)
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "events").write_bytes(b"\x00\x01")
    with tracker.step("flowers", "train", keep=str(tmp_path)) as run:
        run.log_metrics({"loss": 1.0}, 1)
        until(lambda: steps_of(tracker.client, run.id) == [1])
        mlflow_server.kill()
        run.log_metrics({"loss": 0.5}, 2)
        run.log_files(str(tmp_path / "board"))
    (kept,) = tmp_path.glob("_undelivered-*")
    command = json.loads(kept.read_text().splitlines()[0])["upload"]
    assert command == f"emberline upload-tracking {tmp_path} --tracking-uri {mlflow_server.uri}"
    assert command in capsys.readouterr().err
    mlflow_server.start()
    client = MlflowClient(mlflow_server.uri)
    assert client.get_run(run.id).info.status == "RUNNING"
    assert Tracker(mlflow_server.uri).upload(str(tmp_path)).refused == 0
    assert steps_of(client, run.id) == [1, 2]
    assert client.get_run(run.id).info.status == "FINISHED"
    assert [item.path for item in client.list_artifacts(run.id, "board")] == ["board/events"]
    with pytest.raises(BadInputError, match="Nothing that was not delivered"):
        Tracker(mlflow_server.uri).upload(str(tmp_path))


def test_the_next_attempt_delivers_what_the_one_before_could_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, kept = Tracker(f"sqlite:///{tmp_path}/mlflow.db"), str(tmp_path / "training")
    with monkeypatch.context() as away:

        def nobody(*_: object) -> None:
            raise ConnectionError("nobody is there")

        away.setattr(delivery, "LAST_SECONDS", 0.5)
        away.setattr(delivery, "deliver", nobody)
        away.setattr(delivery.Delivery, "_answers", lambda _: False)
        with tracker.step("flowers", "train", keep=kept) as first:
            first.log_metrics({"loss": 1.0}, 1)
    with tracker.step("flowers", "train", keep=kept, resume=first.id) as second:
        second.log_metrics({"loss": 0.5}, 2)
        until(lambda: steps_of(tracker.client, first.id) == [1, 2])
        assert tracker.client.get_run(first.id).info.status == "RUNNING"
    assert second.id == first.id
    assert tracker.client.get_run(first.id).info.status == "FINISHED"
    assert not Path(kept).exists()


def test_of_steps_that_share_an_output_only_those_of_the_same_source_are_attempts(tmp_path: Path) -> None:
    """Two days are scored side by side into one folder: the first to end is not the end of the other."""
    tracker, kept = Tracker(f"sqlite:///{tmp_path}/mlflow.db"), str(tmp_path / "predictions.undelivered")

    def begun(source: str) -> AbstractContextManager[Run]:
        tags = {"emberline.source": source, "emberline.shares_output": "true"}
        return tracker.step("flowers", "score", keep=kept, tags=tags)

    monday, tuesday = begun("raw/it's monday"), begun("raw/tuesday")
    killed, other = monday.__enter__(), tuesday.__enter__()
    with begun("raw/it's monday"):
        pass
    states = [tracker.client.get_run(run.id).info.status for run in (killed, other)]
    assert states == ["KILLED", "RUNNING"]
    for attempt in (monday, tuesday):
        attempt.__exit__(None, None, None)


def test_a_success_ends_the_runs_of_attempts_that_were_killed(tmp_path: Path) -> None:
    """Those of the same step and output that began before; what they kept is delivered first."""
    tracker, kept = Tracker(f"sqlite:///{tmp_path}/mlflow.db"), str(tmp_path / "it's.undelivered")

    attempts = []

    def killed(step: str = "etl", keep: str = kept) -> str:
        attempts.append(tracker.step("flowers", step, keep=keep))
        return str(attempts[-1].__enter__().id)

    first, told, others = killed(), killed(), [killed("score"), killed(keep=f"{kept}-2")]
    lines = [{"upload": "?"}, {"run": told, "do": "metrics", "metrics": [["loss", 0.5, 1, 7]]}]
    Path(kept).mkdir()
    (Path(kept) / f"_undelivered-{told}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with pytest.raises(RuntimeError), tracker.step("flowers", "etl", keep=kept):
        raise RuntimeError("one that fails settles nothing")
    assert tracker.client.get_run(first).info.status == "RUNNING"
    with tracker.step("flowers", "etl", keep=kept) as last:
        later = killed()
    states = [tracker.client.get_run(run).info.status for run in (first, told, *others, later, last.id)]
    assert states == ["KILLED", "KILLED", "RUNNING", "RUNNING", "RUNNING", "FINISHED"]
    assert steps_of(tracker.client, told) == [7]
    assert not Path(kept).exists()
    attempts[0].__exit__(None, None, None)
    assert tracker.client.get_run(first).info.status == "FINISHED", "it lived: its own end is the last word"
    for attempt in attempts[1:]:
        attempt.__exit__(None, None, None)


def test_what_mlflow_refuses_does_not_stop_the_rest(tmp_path: Path, capsys) -> None:
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    with tracker.step("flowers", "train", keep=str(tmp_path)) as run:
        run.log_text("words", "../outside.txt")
        run.log_tags({"after": "it"})
    assert tracker.client.get_run(run.id).data.tags["after"] == "it"
    assert "MLflow refused text" in capsys.readouterr().err
    (kept,) = tmp_path.glob("_undelivered-*")
    assert len(kept.read_text().splitlines()) == 2


@pytest.mark.slow
def test_a_training_outlives_its_tracking_server(mlflow_server, train_job, emberline) -> None:
    job = train_job("local[1]", "training.mode=local", "training.epochs=40", store=mlflow_server.uri)
    job.wait_for_checkpoint()
    mlflow_server.kill()
    result = job.finish()
    assert result["status"] == "succeeded", job.stderr[-3000:]
    assert "MLflow does not answer; what is told to it waits" in job.stderr
    command = job.stderr.split("later: emberline ")[1].splitlines()[0].split()
    mlflow_server.start()
    client = MlflowClient(mlflow_server.uri)
    before = steps_of(client, result["run_id"])
    assert len(before) < 40
    delivered = emberline(*command)
    assert delivered.code == 0, delivered.stderr
    run = client.get_run(result["run_id"])
    assert run.info.status == "FINISHED"
    steps = steps_of(client, result["run_id"])
    assert len(steps) == 40
    assert steps[-1] == result["steps"]
    assert client.list_artifacts(run.info.run_id, "tensorboard")
    assert not list(job.output.glob("_undelivered-*"))


@pytest.mark.slow
def test_a_training_tells_all_to_a_server_that_comes_back(mlflow_server, train_job) -> None:
    job = train_job("local[1]", "training.mode=local", "training.epochs=300", store=mlflow_server.uri)
    job.wait_for_checkpoint()
    mlflow_server.kill()
    job.wait_for(lambda: list(job.output.glob("_undelivered-*")))
    mlflow_server.start()
    result = job.finish()
    assert result["status"] == "succeeded", job.stderr[-3000:]
    client = MlflowClient(mlflow_server.uri)
    assert len(steps_of(client, result["run_id"])) == 300
    assert client.get_run(result["run_id"]).info.status == "FINISHED"
    assert not list(job.output.glob("_undelivered-*"))
