"""`emberline bundle`: what it writes replaces nobody else's files."""

from pathlib import Path

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.code_archive import release


def test_a_projects_own_jobs_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "train.py").write_text("print('of the project')")
    with pytest.raises(BadInputError, match=r"jobs/train.py' that is not emberline's.*--output dist"):
        release(str(tmp_path))
    assert [path.name for path in tmp_path.rglob("*")] == ["jobs", "train.py"], "nothing is written"
    assert "of the project" in (tmp_path / "jobs" / "train.py").read_text()


def test_a_release_is_replaced(tmp_path: Path) -> None:
    release(str(tmp_path))
    (tmp_path / "jobs" / "train.py").write_text("print('of an older version')")
    release(str(tmp_path))
    assert "of an older version" not in (tmp_path / "jobs" / "train.py").read_text()
