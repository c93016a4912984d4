"""Modules found by their own name, at any depth, and never two of one name."""

from pathlib import Path

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.named_modules import named_modules


def package(folder: Path, *files: str) -> list[str]:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        for above in (path.parent, *path.parent.relative_to(folder).parents):
            (folder / above / "__init__.py").touch()
        path.write_text("raise AssertionError('it is not imported')")
    return [str(folder)]


def test_modules_are_found_at_any_depth_without_importing_them(tmp_path: Path) -> None:
    path = package(tmp_path, "iris.py", "text/deep/reviews.py", "readers/csv.py")
    assert named_modules("mine", path, skip=("readers",)) == {"iris": "mine.iris", "reviews": "mine.text.deep.reviews"}


@pytest.mark.parametrize("other", ["iris.py", "text/iris.py"])
def test_two_modules_of_one_name_are_refused(tmp_path: Path, other: str) -> None:
    path = package(tmp_path, other, "tabular/deep/iris.py")
    with pytest.raises(BadInputError, match=r"mine\.\S*iris and mine\.\S*iris have one name, 'iris': rename one"):
        named_modules("mine", path)
