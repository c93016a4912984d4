"""What `doctor` says about a folder that runs write to."""

from pathlib import Path

import pytest

from emberline.features import storage
from emberline.pipelines.console.store_checks import store_check


def test_a_folder_that_can_be_written(tmp_path: Path) -> None:
    found = store_check(str(tmp_path / "new"))
    assert found.good
    assert "folders are renamed in one step" in found.found
    assert storage.list_names(str(tmp_path / "new")) == []
    assert "copied, file by file" in store_check(f"memory:/{tmp_path.name}").found


@pytest.mark.parametrize(
    ("broken", "said"),
    [("move", "cannot write: no way"), ("read_text", "cannot read: no way"), ("delete", "cannot delete: no way")],
)
def test_what_does_not_work_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str, said: str) -> None:
    def fail(*_: object) -> None:
        raise OSError("no way\nat all")

    monkeypatch.setattr(storage, broken, fail)
    found = store_check(str(tmp_path))
    assert (found.good, found.found) == (False, said)
    assert "rights to write" in found.advice


def test_a_scheme_without_a_reader() -> None:
    found = store_check("nosuch://host/x")
    assert not found.good
    assert found.found.startswith("cannot be opened: Nothing here serves nosuch://host/")
