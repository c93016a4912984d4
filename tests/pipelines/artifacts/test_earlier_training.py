"""The training that a new one replaces is there until the new one could go on by itself, whatever happens."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from emberline.features import publishing, storage
from emberline.features.errors import BadInputError
from emberline.pipelines.artifacts.earlier_training import earlier_training
from emberline.pipelines.runtime.claim import OutputBusyError

IDENTITY: dict[str, Any] = {
    "recipe": {"training": {"epochs": 2}, "network": "n"},
    "dataset_digest": "d",
    "warm_start": None,
}


@pytest.fixture(params=["renames", "copies"])
def output(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished training."""
    if request.param == "copies":
        monkeypatch.setattr(storage, "renames_folders", lambda _: False)
    return training(tmp_path / "t", "old")


def training(folder: Path, text: str, *, checkpoint: bool = True) -> Path:
    other = IDENTITY | {"dataset_digest": text, "finished": True, "run_id": "r", "text": text}
    storage.write_text_atomic(f"{folder}/training.json", json.dumps(other))
    if checkpoint:
        storage.write_text_atomic(f"{folder}/checkpoints/step-0000000001/position.json", text)
    return folder


def said(folder: Path) -> str:
    return str(json.loads((folder / "training.json").read_text())["text"])


def fail(output: Path, *, checkpoint: bool) -> None:
    with earlier_training(str(output), IDENTITY) as earlier:
        earlier.set_aside()
        assert not (output / "training.json").exists()
        training(output, "new", checkpoint=checkpoint)
        raise OSError("the cluster is gone")


def test_it_goes_when_the_new_one_has_a_checkpoint(output: Path) -> None:
    with earlier_training(str(output), IDENTITY) as earlier:
        earlier.set_aside()
        training(output, "new", checkpoint=False)
        earlier.forget_if_replaced()
        assert (output.parent / ".t.earlier" / "training.json").exists()
        training(output, "new")
        earlier.forget_if_replaced()
        assert not (output.parent / ".t.earlier" / "training.json").exists()
    assert said(output) == "new"


def test_a_failure_before_the_first_checkpoint_puts_it_back(output: Path) -> None:
    with pytest.raises(OSError, match="cluster is gone"):
        fail(output, checkpoint=False)
    assert said(output) == "old"
    with pytest.raises(OSError, match="cluster is gone"):
        fail(output, checkpoint=True)
    assert said(output) == "new"
    assert not (output.parent / ".t.earlier" / "training.json").exists()


def test_so_does_the_next_one_after_a_kill(output: Path) -> None:
    publishing.set_aside(str(output), ".t.earlier")
    training(output, "half", checkpoint=False)
    with earlier_training(str(output), IDENTITY):
        assert said(output) == "old"


def test_a_foreign_folder_is_never_set_aside(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "diary.txt").write_text("dear diary")
    with earlier_training(str(tmp_path / "t"), IDENTITY) as earlier:
        with pytest.raises(BadInputError, match="is no training"):
            earlier.set_aside()
        with pytest.raises(OutputBusyError), earlier_training(str(tmp_path / "t"), IDENTITY):
            pass
    assert os.listdir(tmp_path) == ["t"]
