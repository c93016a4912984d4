"""MLflow's own pages about two pipeline runs, in a browser."""

import json
from dataclasses import dataclass

import pytest
from mlflow.tracking import MlflowClient

from benchmarks.iris import split, write_split
from tests.browser import SHOWN, Browser

pytestmark = pytest.mark.slow
MODEL = "emberline-iris_dnn"


@dataclass(frozen=True)
class Seen:
    """Two pipeline runs on a server.

    Args:
        uri: The server.
        experiment: Id of the experiment.
        runs: Ids of the trainings.
        client: Of the server.
    """

    uri: str
    experiment: str
    runs: tuple[str, str]
    client: MlflowClient


@pytest.fixture(scope="module")
def seen(mlflow_server, emberline, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("iris")
    write_split(str(folder / "raw"), split())
    summaries = []
    for rate in ("0.01", "0.05"):
        finished = emberline(
            "run", "iris_dnn", "--input", folder / "raw", "--workspace", folder, "--tracking-uri", mlflow_server.uri,
            "--master", "local[2]", "--set", "training.mode=local", "--set", "training.epochs=20",
            "--set", f"training.optimizers.0.learning_rate={rate}",
        )  # fmt: skip
        assert finished.code == 0, finished.stderr[-4000:]
        summaries.append(finished.result)
    client = MlflowClient(mlflow_server.uri, mlflow_server.uri)
    experiment = client.get_experiment_by_name("emberline/iris_dnn")
    assert experiment
    first, second = (summary["run_id"] for summary in summaries)
    return Seen(mlflow_server.uri, experiment.experiment_id, (first, second), client)


def test_the_list_of_runs(browser: Browser, seen: Seen) -> None:
    above = [seen.client.get_run(run).data.tags["mlflow.parentRunId"] for run in seen.runs]
    names = [seen.client.get_run(run).info.run_name for run in above]
    text = browser.see(
        "runs", f"{seen.uri}/#/experiments/{seen.experiment}/runs", *(f"{SHOWN}.includes('{name}')" for name in names)
    )
    assert "emberline/iris_dnn" in text


def test_both_runs_side_by_side(browser: Browser, seen: Seen) -> None:
    runs = json.dumps(list(seen.runs))
    text = browser.see(
        "compare",
        f'{seen.uri}/#/compare-runs?runs={runs}&experiments=["{seen.experiment}"]',
        f"{SHOWN}.includes('training.optimizers.0.learning_rate')",
        f"{SHOWN}.includes('test_accuracy')",
    )
    assert "0.01" in text
    assert "0.05" in text


def test_the_curves_of_both_runs(browser: Browser, seen: Seen) -> None:
    asked = f'runs={json.dumps(list(seen.runs))}&experiments=["{seen.experiment}"]&metric="loss"'
    lines = "[...document.querySelectorAll('.scatterlayer .trace path.js-line')]"
    browser.see(
        "curves",
        f'{seen.uri}/#/metric?{asked}&plot_metric_keys=["loss"]',
        f"{lines}.filter(line => line.getAttribute('d').length > 50).length >= 2",
        f"{SHOWN}.includes('2/2')",
        f"{SHOWN}.split('(step=100)').length > 2",
    )


@pytest.mark.parametrize(
    ("file", "holds"), [("profile.html", "Jensen-Shannon"), ("evaluation.html", "Confusion matrix")]
)
def test_the_pages_among_the_artifacts(browser: Browser, seen: Seen, file: str, holds: str) -> None:
    run = seen.runs[0]
    text = browser.see(
        file,
        f"{seen.uri}/#/experiments/{seen.experiment}/runs/{run}/artifacts/{file}",
        f"{SHOWN}.includes('{file}')",
        framed=holds,
    )
    assert "verdict.json" in text


def test_the_model_version_its_alias_and_where_it_comes_from(browser: Browser, seen: Seen) -> None:
    version = seen.client.get_model_version_by_alias(MODEL, "champion")
    digest = version.tags["emberline.dataset_digest"]
    text = browser.see(
        "model-version",
        f"{seen.uri}/#/models/{MODEL}/versions/{version.version}",
        f"{SHOWN}.includes('champion')",
        f"{SHOWN}.includes('Inputs (4)')",
        f"{SHOWN}.includes('{digest[:20]}')",
    )
    assert "emberline.training" in text
    assert "Source Run" in text
    text = browser.see(
        "training-run",
        f"{seen.uri}/#/experiments/{seen.experiment}/runs/{version.run_id}",
        f"{SHOWN}.includes('emberline-iris')",
        f"{SHOWN}.includes('{MODEL}')",
    )
    assert "Parent run" in text or "Parent Run" in text
