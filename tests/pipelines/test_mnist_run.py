"""Images from the official files to predictions, looked at from outside: softmax regression on MNIST's test digits."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emberline.pipelines.datasets.readers.idx import read_idx

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MNIST = ROOT.parent / "shared" / "data" / "mnist"
MODEL = "emberline-mnist_softmax"


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    if not (MNIST / "t10k-images-idx3-ubyte.gz").exists():
        pytest.skip(f"the official MNIST test files are not at {MNIST}")
    return tuple(read_idx(str(MNIST / f"t10k-{kind}-ubyte.gz"))[0] for kind in ("images-idx3", "labels-idx1"))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mnist")


@pytest.fixture(scope="module")
def summary(digits: tuple[np.ndarray, np.ndarray], workspace: Path, emberline) -> dict[str, Any]:
    finished = emberline("run", "mnist_softmax", "--input", MNIST, "--workspace", workspace, "--master", "local[2]",
                         "--set", "training.workers=1", "--set", "training.epochs=5")  # fmt: skip
    assert finished.code == 0, finished.stderr[-4000:]
    return finished.result


def folder(uri: str) -> Path:
    return Path(uri.removeprefix("file://"))


def test_it_learns(summary: dict[str, Any]) -> None:
    assert summary["records"] == {"train": 8000, "eval": 2000}
    assert summary["rows_rejected"] == 0
    assert summary["metrics"]["accuracy"] > 0.89
    assert summary["model"]["alias"] == "champion"
    assert summary["rows_scored"] == 10_000


def test_the_version_knows_its_images(summary: dict[str, Any], digits: tuple[np.ndarray, np.ndarray]) -> None:
    features = json.loads((folder(summary["dataset"]) / "features.json").read_text())
    assert features["schema"]["fields"][0]["shape"] == [28, 28, 1]
    facts = features["statistics"]["fields"]["image"]["image"]
    trained = digits[0][np.arange(10_000) % 5 != 4]
    assert facts["means"] == pytest.approx([trained.mean() / 255], abs=1e-6)
    assert facts["heights"] == [28, 28, 28]
    manifest = json.loads((folder(summary["dataset"]) / "manifest.json").read_text())
    assert {"name": "image", "type": "uint8[784]"} in manifest["splits"]["train"]["schema"]
    assert sum(shard["bytes"] for shard in manifest["splits"]["train"]["shards"]) < 8000 * 830


def test_scoring_repeats_the_evaluation(summary: dict[str, Any]) -> None:
    predicted = pq.read_table(folder(summary["predictions"]), columns=["row", "probabilities"]).to_pylist()
    known = {row["row"]: row["probabilities"] for row in predicted}
    evaluated = pq.read_table(folder(summary["training"]) / "evaluation" / "scores.parquet").to_pylist()
    assert len(evaluated) == 2000
    for row in evaluated:
        np.testing.assert_allclose(row["probabilities"], known[row["row"]], atol=1e-6)


def test_tensorflow_alone_reads_digits_as_png(summary: dict[str, Any], digits: tuple[np.ndarray, np.ndarray]) -> None:
    """The exported model takes files, in columns and in examples, and gives what it gives for their pixels."""
    import tensorflow as tf

    signatures = tf.saved_model.load(str(folder(summary["training"]) / "model")).signatures
    files = []
    for image in digits[0][:20]:
        sink = io.BytesIO()
        Image.fromarray(image).save(sink, "PNG")
        files.append(sink.getvalue())
    bare = signatures["serving_default"](image=tf.constant([image.tobytes() for image in digits[0][:20]]))
    assert (bare["class"].numpy() == digits[1][:20]).mean() > 0.8
    examples = [
        tf.train.Example(
            features=tf.train.Features(feature={"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[file]))})
        ).SerializeToString()
        for file in files
    ]
    for found in (
        signatures["serving_default"](image=tf.constant(files)),
        signatures["serve_examples"](examples=tf.constant(examples)),
        signatures["serve_transformed"](image=tf.constant(digits[0][:20, ..., np.newaxis])),
    ):
        np.testing.assert_allclose(found["probabilities"], bare["probabilities"], atol=1e-6)


def test_a_table_of_files_is_scored_and_what_is_damaged_rejected(
    summary: dict[str, Any], digits: tuple[np.ndarray, np.ndarray], workspace: Path, emberline
) -> None:
    images = [image.tobytes() for image in digits[0][:30]]
    images[7], images[9] = b"no image", None
    table = pa.table({"row": [f"r{index}" for index in range(30)], "image": pa.array(images, pa.binary())})
    (workspace / "new").mkdir()
    pq.write_table(table, workspace / "new" / "images.parquet")
    finished = emberline(
        "score", "--pipeline", "mnist_softmax", "--model", f"models:/{MODEL}@champion", "--input", workspace / "new",
        "--output", workspace / "scored", "--tracking-uri", summary["tracking_uri"], "--master", "local[2]",
    )  # fmt: skip
    assert finished.code == 0, finished.stderr[-4000:]
    scored = {row["row"]: row["class"] for row in pq.read_table(workspace / "scored").to_pylist()}
    assert scored.keys() == {f"r{index}" for index in range(30)} - {"r7", "r9"}
    rejected = pq.read_table(workspace / "scored" / "_rejected").to_pylist()
    assert sorted(row["reason"] for row in rejected) == [
        "image: is not an image that can be read: it is no JPEG, PNG, GIF, BMP or WebP file",
        "image: no value, and one is required",
    ]


def test_mlflow_alone_loads_it_with_a_column_of_bytes(
    summary: dict[str, Any], digits: tuple[np.ndarray, np.ndarray]
) -> None:
    import mlflow
    import pandas as pd

    mlflow.set_tracking_uri(summary["tracking_uri"])
    mlflow.set_registry_uri(summary["tracking_uri"])
    model = mlflow.pyfunc.load_model(f"models:/{MODEL}/1")
    assert [str(column.type) for column in model.metadata.signature.inputs] == ["DataType.binary"]
    predicted = model.predict(pd.DataFrame({"image": [image.tobytes() for image in digits[0][:20]]}))
    assert (np.array(predicted["class"]) == digits[1][:20]).mean() > 0.8
