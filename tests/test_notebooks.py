"""The notebooks of `examples/`, executed by a kernel as a person does."""

import os
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

pytestmark = pytest.mark.slow  # whole commands, one after the other

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted(path.stem for path in (ROOT / "examples").glob("*.ipynb"))


def outputs(notebook: nbformat.NotebookNode, source: str) -> str:
    """All that the cell with this text showed."""
    (cell,) = (cell for cell in notebook.cells if cell.cell_type == "code" and source in cell.source)
    shown = [output.get("data", {}) for output in cell.outputs]
    return "\n".join([*(data.get("text/html", "") for data in shown), *(data.get("text/plain", "") for data in shown)])


def executed(name: str, folder: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(ROOT / "examples" / f"{name}.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "notebooks are kept without outputs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]))
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.delenv("PYSPARK_GATEWAY_PORT", raising=False)
        NotebookClient(
            notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
        ).execute()
    return notebook


def test_a_dataframe_becomes_scores(tmp_path: Path) -> None:
    shown = executed("dataframe_to_scores", tmp_path)
    table = outputs(shown, "evaluated = em.evaluate")
    assert "<table><caption>EvaluateResult</caption>" in table
    assert "metrics.auc" in table
    progress = outputs(shown, "trained = em.train")
    lines = [line for line in progress.splitlines() if line.startswith("train ")]
    assert len(lines) == 1, "one line per step, which changes in place"
    assert "steps, loss" in lines[0]
    assert "trip-4" in outputs(shown, "predict = em.udf")
    assert (tmp_path / "emberline-workspace" / "mlflow.db").exists()


@pytest.mark.slow
def test_an_estimator_and_a_program(tmp_path: Path) -> None:
    shown = executed("estimator_and_program", tmp_path)
    assert "LaunchResult" in outputs(shown, "em.distribute")


def test_every_notebook_is_executed() -> None:
    assert NOTEBOOKS == ["dataframe_to_scores", "estimator_and_program"]
