"""One contract for all vision networks: they train a step, and what is exported says the same in another process."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Image
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Label, Purpose
from emberline.models.vision.autoencoders import dense, stacked
from emberline.models.vision.cifar import nin, resnet, small
from emberline.models.vision.digits import alexnet as digits_alexnet
from emberline.models.vision.digits import cnn, fourier, lenet, mlp, row_lstm
from emberline.models.vision.faces import embedding, gender_age
from emberline.models.vision.generative import acgan, dcgan, srgan
from emberline.models.vision.imagenet import alexnet, applications, bottleneck, googlenet
from emberline.models.vision.segmentation import unet
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop

TEN = tuple((str(number),) for number in range(10))
GREY = Image("image", 28, 28, 1)
COLOUR = Image("image", 32, 32, 3)
PARTS = ("generator", "discriminator")

QUICK: dict[str, tuple[Any, Purpose, tuple[str, ...]]] = {
    "cnn": (cnn.Config(GREY, (cnn.Convolution(4),), (8,)), "", ("",)),
    "dcgan": (dcgan.Config(GREY, (4, 8), 6), "generation", PARTS),
}

OTHERS: dict[str, tuple[Any, Purpose, tuple[str, ...]]] = {
    "mlp": (mlp.Config(GREY, (8,), dropout=0.2, input_dropout=0.1), "", ("",)),
    "fourier": (fourier.Config(GREY, 16), "", ("",)),
    "sparse autoencoder": (
        dense.Config(GREY, (8,), sparsity=0.15, sparsity_weight=0.01, noise=0.3), "reconstruction", ("",),
    ),
    "lenet": (lenet.Config(GREY), "", ("",)),
    "digits alexnet": (digits_alexnet.Config(GREY, (16, 16)), "", ("",)),
    "row lstm": (row_lstm.Config(GREY, 8), "", ("",)),
    "cifar small": (small.Config(COLOUR), "", ("",)),
    "cifar small with batch norm": (small.Config(COLOUR, normalization="batch"), "", ("",)),
    "nin": (nin.Config(COLOUR), "", ("",)),
    "resnet": (resnet.Config(COLOUR, 8), "", ("",)),
    "alexnet": (alexnet.Config(Image("image", 67, 67), outputs=10), "", ("",)),
    "googlenet": (googlenet.Config(Image("image", 64, 64), outputs=10), "", ("",)),
    "googlenet with side classifiers": (
        googlenet.Config(Image("image", 80, 80), outputs=10, side_weight=0.3), "", ("",),
    ),
    "mobilenet": (applications.Config(COLOUR, "MobileNet", 0.25, outputs=10), "", ("",)),
    "mobilenet with a new head": (
        applications.Config(COLOUR, "MobileNet", 0.25, head="new", frozen=-1, outputs=10), "", ("",),
    ),
    "bottleneck": (
        bottleneck.Config(applications.Config(COLOUR, "MobileNet", 0.25, head="new", frozen=-1), 10),
        "embedding", ("",),
    ),
    "gender and age": (gender_age.Config(Image("image", 99, 99), outputs=10), "", ("",)),
    "stacked autoencoders": (stacked.Config(GREY, (8, 6)), "reconstruction", ("hidden_0", "hidden_1")),
    "acgan": (acgan.Config(GREY, noise=6, units=8), "generation", PARTS),
    "lsgan": (dcgan.Config(GREY, (4, 8), 6, loss="lsgan"), "generation", PARTS),
    "wgan": (dcgan.Config(GREY, (4, 8), 6, loss="wgan"), "generation", PARTS),
    "srgan": (srgan.Config(Image("image", 64, 64), 2, adversarial=0.001), "reconstruction", PARTS),
    "srgan without a critic": (srgan.Config(COLOUR, 2), "reconstruction", ("",)),
    "unet": (unet.Config((GREY,), Image("mask", 28, 28, 1), (4, 8, 8)), "segmentation", ("",)),
    "faces by triplets": (embedding.Config(COLOUR, 8, (4, 8)), "embedding", ("",)),
    "faces by softmax": (embedding.Config(COLOUR, 8, (4, 8), "softmax", 10), "embedding", ("",)),
}  # fmt: skip

SCORE = """
import json, sys
import numpy as np
import tensorflow as tf
sys.modules["features"] = sys.modules["models"] = sys.modules["pipelines"] = None
for folder in json.loads(sys.argv[1]):
    signature = tf.saved_model.load(f"{folder}/model").signatures["serve_transformed"]
    said = signature(**{name: tf.constant(value) for name, value in np.load(f"{folder}/rows.npz").items()})
    np.savez(f"{folder}/said.npz", **{name: value.numpy() for name, value in said.items() if value.dtype.is_floating})
"""

Pictures = Callable[..., DatasetVersion]


def train_and_save(name: str, pictures: Pictures, folder: Path) -> None:
    """One step, the exported model, a few rows, and what the network in this process says of them."""
    config, purpose, scopes = (QUICK | OTHERS)[name]
    version = pictures(config.columns, Label("digit", TEN, purpose=purpose))
    optimizers = tuple(Optimizer("adam", 0.001, scope) for scope in scopes)
    training = Training(optimizers, epochs=1, global_batch=48, workers=1, tensorboard=False)
    recipe = Recipe("any", "nowhere", "none", config, training)
    events: list[dict[str, Any]] = []
    loop = Loop(recipe, version, str(folder), tf.distribute.get_strategy(), 0, events.append)
    before = [weight.numpy() for weight in loop.step.weights]
    model = loop.run()
    epoch = next(event for event in events if event["event"] == "epoch")
    assert epoch["step"] == 1
    assert all(np.isfinite(value) for value in epoch["metrics"].values())
    moved = [not np.array_equal(old, new.numpy()) for old, new in zip(before, loop.step.weights, strict=True)]
    assert any(moved)
    if purpose not in ("", "embedding"):
        assert (folder / "pictures" / "epoch-0001.png").read_bytes().startswith(b"\x89PNG")
    export(recipe, version, model, str(folder / "model"))
    features, *_ = next(iter(loop.batches.evaluation()))
    rows = {key: value.numpy() for key, value in features.items()}
    np.savez(folder / "rows.npz", **rows)
    said = {key: value.numpy() for key, value in loop.step.predict(features).items() if value.dtype.is_floating}
    np.savez(folder / "here.npz", **said)


def compare(folders: list[Path]) -> None:
    """Every exported model, loaded by plain TensorFlow in a process that has none of our code, says the same."""
    command = [sys.executable, "-c", SCORE, json.dumps([str(folder) for folder in folders])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=folders[0])
    assert done.returncode == 0, done.stderr[-3000:]
    for folder in folders:
        said, here = np.load(folder / "said.npz"), np.load(folder / "here.npz")
        assert sorted(said) == sorted(here)
        for column in here:
            np.testing.assert_allclose(said[column], here[column], rtol=1e-4, atol=1e-5, err_msg=str(folder))


def test_small_networks_train_and_score_elsewhere(pictures: Pictures, tmp_path: Path) -> None:
    folders = []
    for name in QUICK:
        folders.append(tmp_path / name.replace(" ", "_"))
        folders[-1].mkdir()
        train_and_save(name, pictures, folders[-1])
    compare(folders)


@pytest.mark.slow
@pytest.mark.parametrize("name", OTHERS)
def test_the_other_networks_train_and_score_elsewhere(name: str, pictures: Pictures, tmp_path: Path) -> None:
    train_and_save(name, pictures, tmp_path)
    compare([tmp_path])


def test_every_network_is_here() -> None:
    import emberline.models.vision

    root = Path(next(iter(emberline.models.vision.__path__)))
    modules = {file.relative_to(root).as_posix() for file in root.glob("*/*.py") if "class Config" in file.read_text()}
    known = {
        type(config).__module__.removeprefix("emberline.models.vision.") for config, *_ in (QUICK | OTHERS).values()
    }
    assert {name.removesuffix(".py").replace("/", ".") for name in modules} == known
