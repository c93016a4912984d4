"""Networks that make pictures, from files to predictions: what they draw reaches MLflow and the predictions."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pyarrow.parquet as pq
import pytest

from emberline.pipelines.datasets.generators.digit_images import draw
from emberline.pipelines.datasets.readers.idx import write_idx

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred made-up digits in MNIST's files."""
    folder = tmp_path_factory.mktemp("raw")
    for name, rows in (("train", 400), ("t10k", 100)):
        drawn = draw(rows, 3, size=28, misread=0.0)
        write_idx(str(folder / f"{name}-images-idx3-ubyte.gz"), drawn.images[..., 0])
        write_idx(str(folder / f"{name}-labels-idx1-ubyte.gz"), drawn.labels)
    return folder


@pytest.mark.parametrize(
    ("recipe", "columns"),
    [
        ("mnist_autoencoder", {"mse", "psnr", "ssim", "reconstruction"}),
        ("mnist_dcgan", {"realness", "generated_realness", "generated"}),
    ],
)
def test_pictures_are_made_shown_and_scored(
    recipe: str, columns: set[str], raw: Path, tmp_path: Path, emberline: Any
) -> None:
    finished = emberline(
        "run", recipe, "--input", raw, "--workspace", tmp_path, "--master", "local-cluster[2,1,1024]",
        "--set", "training.epochs=2", "--set", "training.global_batch=50",
        "--set", f"gate.limit={0.0 if recipe == 'mnist_dcgan' else 1.0}",
    )  # fmt: skip
    assert finished.code == 0, finished.stderr[-4000:]
    summary = finished.result
    assert columns - {"reconstruction", "generated"} <= set(summary["metrics"])
    predictions = pq.read_table(Path(summary["predictions"].removeprefix("file://")))
    assert columns <= set(predictions.schema.names)
    assert predictions.num_rows == 500
    drawn = np.stack(predictions[(columns & {"reconstruction", "generated"}).pop()].to_numpy())
    assert drawn.shape == (500, 784)
    assert 0 <= drawn.min() <= drawn.max() <= 1
    if "mse" in columns:
        assert np.mean(predictions["psnr"]) == pytest.approx(np.mean(-10 * np.log10(predictions["mse"])), rel=1e-4)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name(f"emberline/{recipe}")
    runs = client.search_runs([experiment.experiment_id], "tags.`emberline.step` = 'train'")
    pictures = [file.path for file in client.list_artifacts(runs[0].info.run_id, "pictures")]
    assert pictures == ["pictures/epoch-0001.png", "pictures/epoch-0002.png"]


def test_a_u_net_finds_the_marked_pixels(tmp_path: Path, emberline: Any) -> None:
    finished = emberline(
        "run", "shapes_unet", "--workspace", tmp_path, "--master", "local-cluster[2,1,1024]",
        "--set", "training.epochs=4", "--set", "gate.limit=0.5",
    )  # fmt: skip
    assert finished.code == 0, finished.stderr[-4000:]
    assert finished.result["metrics"]["dice"] > 0.5
    predictions = pq.read_table(Path(finished.result["predictions"].removeprefix("file://")))
    assert np.mean(predictions["dice"]) > 0.5
    assert all(len(mask) == 48 * 48 for mask in predictions["mask"].to_pylist()[:5])


def test_a_model_is_trained_on_what_another_says(raw: Path, tmp_path: Path, emberline: Any) -> None:
    """Transfer learning: each image is read once, by a scoring job, whatever is trained on the vectors."""
    master = ("--master", "local-cluster[2,1,1024]")
    changes = ("--set", "training.epochs=4", "--set", "training.global_batch=50", "--set", "gate.limit=0.5")
    trunk = emberline("run", "mnist_embedding", "--input", raw, "--workspace", tmp_path, *master, *changes)
    assert trunk.code == 0, trunk.stderr[-4000:]
    vectors = tmp_path / "vectors"
    model = f"models:/{trunk.result['scored_with']['name']}/{trunk.result['scored_with']['version']}"
    scored = emberline(
        "score", "--pipeline", "mnist_embedding", "--model", model, "--input", raw, "--output", vectors,
        "--keys", "row,digit", "--master", "local[2]", "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db",
    )  # fmt: skip
    assert scored.code == 0, scored.stderr[-4000:]
    head = emberline("run", "mnist_vectors", "--input", vectors, "--workspace", tmp_path, *master)
    assert head.code == 0, head.stderr[-4000:]
    assert head.result["metrics"]["accuracy"] > 0.8
