"""Checkpoints: what is saved comes back, and a network of another shape is never filled in silence."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Numeric
from emberline.features.errors import BadInputError
from emberline.models.tabular import dnn
from emberline.pipelines.training.checkpoint import checkpoints
from emberline.pipelines.training.checkpoint.position import Position

IRIS = tuple(Numeric(name) for name in ("sepal_length", "sepal_width", "petal_length", "petal_width"))


def variables(*hidden_units: int) -> dict[str, tf.Variable]:
    model = dnn.build(dnn.Config(IRIS, hidden_units, outputs=3), {})
    return {variable.path: variable.value for variable in model.variables}


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    saved, other = variables(10, 10), variables(10, 10)
    checkpoint = checkpoints.save(str(tmp_path), saved, Position(200, 4), keep=1)
    assert checkpoints.restore(checkpoint, other) == Position(200, 4)
    for name, variable in saved.items():
        np.testing.assert_array_equal(variable.numpy(), other[name].numpy())


def test_another_width_is_an_error_that_names_every_variable(tmp_path: Path) -> None:
    """Hidden layers of 10 units in the checkpoint, of 20 in the model: as documented for TensorFlow's Estimators."""
    checkpoint = checkpoints.save(str(tmp_path), variables(10, 10), Position(200, 4), keep=1)
    wider = variables(20, 20)
    before = {name: variable.numpy() for name, variable in wider.items()}
    with pytest.raises(BadInputError, match="does not fit the model") as raised:
        checkpoints.restore(checkpoint, wider)
    for name, shapes in {
        "deep_0/kernel": "[4, 10] in the checkpoint and [4, 20] in the model",
        "deep_0/bias": "[10] in the checkpoint and [20] in the model",
        "deep_1/kernel": "[10, 10] in the checkpoint and [20, 20] in the model",
        "deep_logit/kernel": "[10, 3] in the checkpoint and [20, 3] in the model",
    }.items():
        assert f"{name} is {shapes}" in str(raised.value)
    for name, variable in wider.items():
        np.testing.assert_array_equal(variable.numpy(), before[name], err_msg="nothing was restored in part")


@pytest.mark.parametrize(
    ("saved", "model", "message"),
    [
        ((10, 10), (10,), r"deep_1/bias is \[10\] in the checkpoint and not there in the model"),
        ((10,), (10, 10), r"deep_1/bias is not there in the checkpoint and \[10\] in the model"),
    ],
)
def test_a_layer_more_or_less_is_an_error(
    tmp_path: Path, saved: tuple[int, ...], model: tuple[int, ...], message: str
) -> None:
    """All other shapes agree, so nothing but the missing layer tells the two apart."""
    checkpoint = checkpoints.save(str(tmp_path), variables(*saved), Position(200, 4), keep=1)
    with pytest.raises(BadInputError, match=message):
        checkpoints.restore(checkpoint, variables(*model))


def test_a_process_that_was_cut_off_is_fenced_from_its_successors_checkpoints(tmp_path: Path) -> None:
    folder, held = str(tmp_path), variables(10, 5)
    mine = checkpoints.own(folder)
    first = checkpoints.save(folder, held, Position(100, 2), keep=2, owner=mine)
    later = checkpoints.own(folder)
    second = checkpoints.save(folder, held, Position(150, 3), keep=2, owner=later)
    with pytest.raises(checkpoints.FencedError, match="Another attempt of this training"):
        checkpoints.save(folder, held, Position(150, 3), keep=1, owner=mine)
    assert checkpoints.complete(folder) == [first, second]


def test_and_one_that_is_cut_off_while_it_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, held, real = str(tmp_path), variables(10, 5), checkpoints.storage.write_bytes_atomic
    mine = checkpoints.own(folder)

    def slow(uri: str, data: bytes) -> None:
        real(uri, data)
        if "variables" in uri:
            real(f"{folder}/{checkpoints.OWNER}", b"a later attempt")

    monkeypatch.setattr(checkpoints.storage, "write_bytes_atomic", slow)
    with pytest.raises(checkpoints.FencedError):
        checkpoints.save(folder, held, Position(100, 2), keep=2, owner=mine)
    assert checkpoints.complete(folder) == []
