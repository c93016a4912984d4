"""The whole pipeline on a label of three classes: what it promises, looked at from outside."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.iris import split, write_split
from emberline.pipelines.datasets.tabular.iris import SPECIES

MODEL = "emberline-iris_dnn"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("iris")
    write_split(str(folder / "raw"), split())
    return folder


@pytest.fixture(scope="module")
def summary(workspace: Path, emberline) -> dict[str, Any]:
    """`emberline run iris_dnn` on scikit-learn's table in the official format, one worker."""
    finished = emberline(
        "run", "iris_dnn", "--input", workspace / "raw", "--workspace", workspace,
        "--master", "local[2]", "--set", "training.workers=1",
    )  # fmt: skip
    assert finished.code == 0, finished.stderr[-4000:]
    for seen in ("eval_accuracy", "f1_macro", "top_2_accuracy", "champion: the first with accuracy"):
        assert seen in finished.stderr
    return finished.result


def folder(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_it_reaches_what_the_documentation_reports(summary: dict[str, Any]) -> None:
    """0.967 is 29 of 30 flowers."""
    assert summary["records"] == {"train": 120, "eval": 30}
    assert summary["metrics"]["accuracy"] >= 29 / 30
    assert set(summary["metrics"]) == {"accuracy", "log_loss", "top_2_accuracy", "f1_macro", "f1_micro", "rows"}
    assert summary["model"]["name"] == MODEL
    assert summary["model"]["alias"] == "champion"


def test_the_evaluation_has_a_confusion_matrix(summary: dict[str, Any]) -> None:
    found = json.loads((folder(summary["training"]) / "evaluation.json").read_text())
    assert found["details"]["classes"] == list(SPECIES)
    confusion = np.array(found["details"]["confusion"])
    assert confusion.sum(axis=1).tolist() == [10, 10, 10], "the split is stratified"
    assert confusion.trace() / 30 == pytest.approx(found["metrics"]["accuracy"])


def test_predictions_name_the_class_and_give_all_probabilities(summary: dict[str, Any]) -> None:
    table = pq.read_table(folder(summary["predictions"]))
    expected = ["row", "class", "class_name", "score", "probabilities", "model_version", "scored_at"]
    assert table.column_names == expected
    assert table.schema.field("probabilities").type.value_type == pa.float32()
    assert table.num_rows == 150
    probabilities = np.array(table.column("probabilities").to_pylist())
    assert probabilities.shape == (150, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    chosen = table.column("class").to_pylist()
    assert chosen == probabilities.argmax(axis=1).tolist()
    assert table.column("class_name").to_pylist() == [SPECIES[index] for index in chosen]
    np.testing.assert_allclose(table.column("score").to_numpy(), probabilities.max(axis=1))


def test_scoring_repeats_the_evaluation(summary: dict[str, Any]) -> None:
    """Raw columns through the exported graph, and stored columns through the network: the same probabilities."""
    predicted = pq.read_table(folder(summary["predictions"]), columns=["row", "probabilities"]).to_pylist()
    known = {row["row"]: row["probabilities"] for row in predicted}
    evaluated = pq.read_table(folder(summary["training"]) / "evaluation" / "scores.parquet").to_pylist()
    assert len(evaluated) == 30
    for row in evaluated:
        np.testing.assert_allclose(row["probabilities"], known[row["row"]], atol=1e-6)


def test_mlflow_alone_recognises_the_documentations_three_flowers(summary: dict[str, Any]) -> None:
    import mlflow
    import pandas as pd

    mlflow.set_tracking_uri(summary["tracking_uri"])
    mlflow.set_registry_uri(summary["tracking_uri"])
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}/1")
    outputs = {column.name: str(column.type) for column in model.metadata.signature.outputs}
    assert outputs == {
        "class": "DataType.long",
        "class_name": "DataType.string",
        "score": "DataType.float",
        "probabilities": "Array(float)",
    }
    flowers = pd.DataFrame(
        {
            "sepal_length": [5.1, 5.9, 6.9],
            "sepal_width": [3.3, 3.0, 3.1],
            "petal_length": [1.7, 4.2, 5.4],
            "petal_width": [0.5, 1.5, 2.1],
        }
    )
    predicted = model.predict(flowers)
    assert list(predicted["class"]) == [0, 1, 2]
    assert [name.decode() for name in predicted["class_name"]] == list(SPECIES)
    assert min(predicted["score"]) > 0.7


def test_a_network_without_an_output_per_class_is_refused_at_once(workspace: Path, emberline) -> None:
    finished = emberline(
        "run", "iris_dnn", "--input", workspace / "raw", "--workspace", workspace / "other", "--set", "model.outputs=1"
    )
    assert finished.code == 2
    assert "3 classes (setosa, versicolor, virginica), for which a network has 3 outputs" in finished.result["reason"]
    assert "Set model.outputs=3" in finished.result["reason"]
