"""Tasks that make, mark or place what they read: losses, predictions and metrics against formulas of other hands."""

import numpy as np
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession
from sklearn import metrics

from emberline.features.errors import BadInputError
from emberline.features.schema import Label
from emberline.models.vision.digits import mlp
from emberline.pipelines.metrics.grouped import ALL
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tasks import require_fit, task_of
from emberline.pipelines.tasks.embedding import MARGIN, Embedding
from emberline.pipelines.tasks.generation import Generation
from emberline.pipelines.tasks.reconstruction import Reconstruction
from emberline.pipelines.tasks.segmentation import Segmentation
from emberline.pipelines.tasks.task import LOSS

DRAW = np.random.default_rng(4)
ROWS = 40
TEN = tuple((str(number),) for number in range(10))


def tensors(**arrays: np.ndarray) -> dict[str, tf.Tensor]:
    return {name: tf.constant(array.astype(np.float32)) for name, array in arrays.items()}


def numpy(tensors: dict[str, tf.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in tensors.items()}


def test_a_label_with_a_purpose_is_not_predicted() -> None:
    purposes = {"reconstruction": Reconstruction, "generation": Generation, "segmentation": Segmentation}
    for purpose, kind in purposes.items():
        assert isinstance(task_of(Label("digit", TEN, purpose=purpose)), kind)  # type: ignore[arg-type]
    assert task_of(Label("digit", TEN, purpose="embedding")) == Embedding(tuple("0123456789"))
    recipe = load_recipe("mnist_mlp")
    assert isinstance(recipe.model, mlp.Config)
    from emberline.pipelines.datasets.digits.mnist_reconstruction import DATASET

    with pytest.raises(BadInputError, match="for reconstruction, for which a network has several outputs by name"):
        require_fit(recipe, DATASET.schema)


def test_reconstruction_is_measured_picture_by_picture() -> None:
    target = DRAW.random((ROWS, 16, 16, 1))
    made = np.clip(target + DRAW.normal(0, 0.1, target.shape), 0, 1)
    task, outputs = Reconstruction(), tensors(reconstruction=made, target=target)
    error = np.array(
        [metrics.mean_squared_error(one.ravel(), other.ravel()) for one, other in zip(target, made, strict=True)]
    )
    np.testing.assert_allclose(task.losses(outputs, tf.zeros(ROWS)), error, rtol=1e-4)
    predicted = task.predict(outputs)
    np.testing.assert_allclose(predicted["psnr"], 10 * np.log10(1 / error), rtol=1e-4)
    np.testing.assert_allclose(predicted["reconstruction"], made.reshape(ROWS, -1), rtol=1e-6)
    halves = [tensors(reconstruction=made[part], target=target[part]) for part in (slice(10), slice(10, None))]
    sums = sum(task.tally(task.predict(half), np.zeros(len(half["target"]))) for half in halves)
    found = task.held_out(sums)
    assert found["eval_loss"] == pytest.approx(error.mean(), rel=1e-4)
    assert found["eval_psnr"] == pytest.approx((-10 * np.log10(error)).mean(), rel=1e-4)
    assert task.pictures(outputs).shape == (ROWS, 32, 16, 1)


def test_a_network_may_state_the_losses_of_its_parts() -> None:
    target = DRAW.random((ROWS, 16, 16, 1))
    outputs = tensors(reconstruction=target, target=target) | {LOSS + "first": tf.ones(ROWS)}
    assert list(Reconstruction().losses(outputs, tf.zeros(ROWS))) == ["first"]


def test_the_critic_of_classes_learns_the_rows_class_too() -> None:
    logits, truth = DRAW.normal(size=(ROWS, 3)), DRAW.integers(0, 3, ROWS)
    outputs = tensors(real=logits[:, 0], fake=logits[:, 1], generated=DRAW.random((ROWS, 4, 4, 1)), classes=logits)
    outputs |= {LOSS + "generator": tf.zeros(ROWS), LOSS + "discriminator": tf.ones(ROWS)}
    losses = Generation().losses(outputs, tf.constant(truth, tf.float32))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(losses["discriminator"], 1 - np.log(probabilities[np.arange(ROWS), truth]), rtol=1e-4)
    np.testing.assert_array_equal(losses["generator"], 0)
    predicted = Generation().predict(outputs)
    found = Generation().held_out(Generation().tally(predicted, truth.astype(np.float32)))
    real, fake = (1 / (1 + np.exp(-logits[:, place])) for place in (0, 1))
    both = metrics.log_loss([1] * ROWS + [0] * ROWS, np.concatenate([real, fake]), labels=[0, 1])
    assert found["eval_loss"] == pytest.approx(2 * both, rel=1e-4)


def test_segmentation_is_the_overlap_of_pixels() -> None:
    truth, logits = DRAW.random((ROWS, 8, 8, 1)) > 0.6, DRAW.normal(size=(ROWS, 8, 8, 1))
    task, outputs = Segmentation(), tensors(mask=logits, target=truth)
    predicted = numpy(task.predict(outputs))
    for row in range(ROWS):
        flat, found = truth[row].ravel(), logits[row].ravel() > 0
        assert predicted["dice"][row] == pytest.approx(metrics.f1_score(flat, found), abs=1e-4)
        assert predicted["iou"][row] == pytest.approx(metrics.jaccard_score(flat, found), abs=1e-4)
    sure = task.losses(tensors(mask=np.where(truth, 50.0, -50.0), target=truth), tf.zeros(ROWS))
    np.testing.assert_allclose(sure, 0, atol=1e-5)


def test_triplets_are_those_of_a_loop_over_all_rows() -> None:
    places, label = DRAW.normal(size=(ROWS, 4)), DRAW.integers(0, 5, ROWS)
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    expected = np.zeros(ROWS)
    for anchor in range(ROWS):
        distance = np.sum((places - places[anchor]) ** 2, axis=1)
        others, hinges = distance[label != label[anchor]], []
        for like in np.flatnonzero(label == label[anchor]):
            if like != anchor:
                beyond = others[others > distance[like]]
                negative = beyond.min() if len(beyond) else others.max()
                hinges.append(max(0.0, distance[like] - negative + MARGIN))
        expected[anchor] = np.mean(hinges) if hinges else 0.0
    found = Embedding(tuple("abcde")).losses(tensors(embedding=places), tf.constant(label, tf.float32))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("apart", [1, 0.01], ids=["learned", "hardly begun"])
def test_pairs_are_verified_by_their_cosine(apart: float) -> None:
    label = DRAW.integers(0, 4, 200)
    places = 1 - apart + apart * (np.eye(4)[label] + DRAW.normal(0, 0.6, (200, 4)))
    places = (places / np.linalg.norm(places, axis=1, keepdims=True)).astype(np.float32)
    task = Embedding(tuple("abcd"))
    found = task.held_out(task.tally(tensors(embedding=places), label.astype(np.float32)))
    first, second = np.triu_indices(200, 1)
    same, cosine = label[first] == label[second], (places @ places.T)[first, second]
    assert found["eval_auc"] == pytest.approx(metrics.roc_auc_score(same, cosine), abs=1e-4)
    alarms, hits, _ = metrics.roc_curve(same, cosine)
    nearest = np.argmin(np.abs(alarms - (1 - hits)))
    assert found["eval_eer"] == pytest.approx((alarms[nearest] + 1 - hits[nearest]) / 2, abs=0.01)


def test_spark_verifies_each_row_with_one_of_its_label_and_one_of_the_next(spark: SparkSession) -> None:
    label = np.arange(60) % 3
    places = np.eye(3)[label] + DRAW.normal(0, 0.15, (60, 3))
    places /= np.linalg.norm(places, axis=1, keepdims=True)
    rows = [(places[row].tolist(), float(label[row])) for row in range(60)]
    scored = spark.createDataFrame(rows, "embedding array<float>, digit float")
    found = Embedding(tuple("abc")).evaluate(scored, "digit", 0.5)[ALL].metrics
    assert found["rows"] == 60
    assert found["pairs"] == 3 * 19 + 3 * 20, "the last of each label has no next one"
    assert found["auc"] > 0.95
    assert found["accuracy"] > 0.85


def test_spark_means_are_those_of_the_rows(spark: SparkSession) -> None:
    rows = [(float(value), 20.0 + value, 0.5, 1.0) for value in range(4)]
    scored = spark.createDataFrame(rows, "mse float, psnr float, ssim float, digit float")
    assert Reconstruction().evaluate(scored, "digit", 0.5)[ALL].metrics == {
        "mse": 1.5,
        "psnr": 21.5,
        "ssim": 0.5,
        "rows": 4.0,
    }
