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
