"""Weight files that users bring along: loaded when they are what was meant, refused otherwise."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from emberline.features.columns import Image
from emberline.features.errors import BadInputError
from emberline.models.vision.imagenet import applications
from emberline.models.vision.imagenet.weights import Weights

SMALL = Image("image", 32, 32)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a quarter-width MobileNet without its head, as Keras Applications offers them."""
    path = tmp_path_factory.mktemp("weights") / "trunk.weights.h5"
    applications.trunk(applications.Config(SMALL, "MobileNet", 0.25, head="new")).save_weights(path)
    return path


def config(file: Path, sha256: str = "", width: float = 0.25) -> applications.Config:
    known = sha256 or hashlib.sha256(file.read_bytes()).hexdigest()
    weights = Weights(str(file), known)
    return applications.Config(SMALL, "MobileNet", width, weights, head="new", frozen=-1, outputs=3)


def test_a_trunk_takes_the_weights_of_a_file_and_keeps_them(file: Path) -> None:
    one, other = (applications.build(config(file), {}) for _ in range(2))
    rows = np.random.default_rng(1).integers(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    trunks = [model.layers[-2] for model in (one, other)]
    first, second = (trunk(applications.prepared(rows, "MobileNet")) for trunk in trunks)
    np.testing.assert_array_equal(first, second)
    assert [variable.path for variable in one.trainable_variables] == ["logits/kernel", "logits/bias"]


def test_another_file_than_was_meant_is_refused(file: Path) -> None:
    with pytest.raises(BadInputError, match=r"has the SHA-256 [0-9a-f]{64}, expected 0{64}"):
        applications.build(config(file, "0" * 64), {})


def test_a_file_of_another_network_is_refused(file: Path) -> None:
    with pytest.raises(BadInputError, match="does not fit the network"):
        applications.build(config(file, width=0.5), {})


def test_a_file_needs_its_hash() -> None:
    with pytest.raises(BadInputError, match="sha256sum"):
        Weights("/somewhere/vgg16.h5")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no weight file at"):
        applications.build(
            applications.Config(SMALL, "MobileNet", weights=Weights(str(tmp_path / "no.h5"), "0" * 64)), {}
        )
