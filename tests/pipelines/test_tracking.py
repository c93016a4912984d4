"""The MLflow store when several write to it at once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from mlflow.tracking import MlflowClient

from pipelines.tracking import Tracker


@pytest.mark.parametrize("take", range(3))
def test_runs_that_begin_together_share_experiment_and_dataset(tmp_path: Path, take: int) -> None:
    store, writers = f"sqlite:///{tmp_path}/mlflow.db", 4
    tracker, together = Tracker(store), Barrier(writers, timeout=20)

    def begin(number: int) -> str:
        together.wait()
        with tracker.step("flowers", "train", name=f"run {number}") as run:
            together.wait()
            run.log_dataset("flowers", "abc", "file:///flowers", {"rows": 150})
        return run.id

    with ThreadPoolExecutor(writers) as threads:
        runs = list(threads.map(begin, range(writers)))
    read = [MlflowClient(store).get_run(run).inputs.dataset_inputs for run in runs]
    assert [[one.dataset.digest for one in inputs] for inputs in read] == [["abc"]] * writers
