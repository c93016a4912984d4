"""The MLflow store when several write to it at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tracking import StoppedEarlyError, Tracker


@pytest.mark.parametrize("take", range(3))
def test_runs_that_begin_together_share_experiment_and_dataset(tmp_path: Path, take: int) -> None:
    store, writers = f"sqlite:///{tmp_path}/mlflow.db", 4
    tracker, together = Tracker(store), Barrier(writers, timeout=20)

    def begin(number: int) -> str:
        together.wait(60)
        with tracker.step("flowers", "train", name=f"run {number}") as run:
            together.wait(60)
            run.log_dataset("flowers", "abc", "file:///flowers", {"rows": 150})
        return run.id

    with ThreadPoolExecutor(writers) as threads:
        runs = list(threads.map(begin, range(writers)))
    read = [MlflowClient(store).get_run(run).inputs.dataset_inputs for run in runs]
    assert [[one.dataset.digest for one in inputs] for inputs in read] == [["abc"]] * writers


def test_a_steps_run_has_what_it_was_told_and_facts_of_its_own(tmp_path: Path) -> None:
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    (tmp_path / "board" / "below").mkdir(parents=True)
    (tmp_path / "board" / "below" / "events").write_bytes(b"\xff\x00")
    (tmp_path / "page.html").write_text("<h1>page</h1>")
    with (
        tracker.pipeline_run(load_recipe("iris_dnn"), "today") as above,
        tracker.step("iris_dnn", "etl", params={"a": {"b": 1}}, tags={"emberline.source": "file:///raw"}) as run,
    ):
        run.log_files(str(tmp_path / "page.html"))
        run.log_files(str(tmp_path / "board"))
        run.log_table(["name", "value"], [["one", 1], ["two", 2]], "table.json")
        run.log_metrics({"rows": 3.0}, 7)
    client = MlflowClient(tracker.uri)
    found, parent = client.get_run(run.id), client.get_run(above)
    assert found.data.tags["mlflow.parentRunId"] == above
    assert found.data.tags["emberline.step"] == "etl"
    assert found.data.tags["emberline.source"] == "file:///raw"
    assert found.data.params == {"a.b": "1"}
    assert [(point.value, point.step) for point in client.get_metric_history(run.id, "rows")] == [(3.0, 7)]
    assert (found.info.status, parent.info.status) == ("FINISHED", "FINISHED")
    assert parent.data.params["training.epochs"] == str(load_recipe("iris_dnn").training.epochs)
    files = {item.path for item in client.list_artifacts(run.id)}
    assert files == {"board", "environment.txt", "page.html", "table.json"}
    assert [item.path for item in client.list_artifacts(run.id, "board/below")] == ["board/below/events"]
    table = client.load_table(found.info.experiment_id, "table.json", [run.id])
    assert table["value"].tolist() == [1, 2]
    environment = Path(client.download_artifacts(run.id, "environment.txt")).read_text()
    assert f"mlflow=={mlflow.__version__}\n" in environment


@pytest.mark.parametrize(
    ("error", "status", "parent"),
    [
        (ValueError, "FAILED", "FAILED"),
        (KeyboardInterrupt, "KILLED", "KILLED"),
        (StoppedEarlyError, "KILLED", "FAILED"),
    ],
)
def test_a_step_that_ends_badly_says_so(tmp_path: Path, error: type[BaseException], status: str, parent: str) -> None:
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    with (
        pytest.raises(error),
        tracker.pipeline_run(load_recipe("iris_dnn"), "today") as above,
        tracker.step("iris_dnn", "train") as run,
    ):
        raise error("no more")
    found = MlflowClient(tracker.uri).get_run(run.id)
    assert (found.info.status, found.data.tags["emberline.failure"]) == (status, f"{error.__name__}: no more")
    assert MlflowClient(tracker.uri).get_run(above).info.status == parent


SECRET = "planted-secret-5678"


def test_secrets_in_uris_are_not_recorded_whoever_hands_them_over(tmp_path: Path) -> None:
    """Arguments refuse them; a program's own arguments, and functions called from Python, come past that."""
    tracker, uri = Tracker(f"sqlite:///{tmp_path}/mlflow.db"), f"s3://key:a/{SECRET}@bucket/x"
    given = {"params": {"arguments": f"--from {uri}"}, "tags": {"emberline.source": uri}}
    with tracker.step("iris_dnn", "launch", **given) as run:
        run.log_dataset("raw", "abc", uri, {})
        run.log_tags({"later": uri})
    found = MlflowClient(tracker.uri).get_run(run.id)
    assert found.data.params["arguments"] == "--from s3://key:***@bucket/x"
    assert found.data.tags["later"] == found.data.tags["emberline.source"] == "s3://key:***@bucket/x"
    assert SECRET.encode() not in (tmp_path / "mlflow.db").read_bytes()


def test_a_new_store_of_files_is_its_owners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def modes(name: str) -> list[str]:
        with Tracker(f"sqlite:///{tmp_path}/{name}/mlflow.db").step("iris_dnn", "etl") as run:
            run.log_text("a row", "page.html")
        return [oct((tmp_path / name / file).stat().st_mode & 0o777) for file in ("mlflow.db", "mlartifacts")]

    assert modes("mine") == ["0o600", "0o700"]
    (tmp_path / "mine" / "mlflow.db").chmod(0o640)
    assert modes("mine") == ["0o640", "0o700"], "what somebody has set stays"
    monkeypatch.setenv("EMBERLINE_RAW_MODE", "750")
    assert modes("teams") == ["0o640", "0o750"]
