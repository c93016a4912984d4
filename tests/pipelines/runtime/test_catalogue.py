"""Recipes and datasets of other people's projects: how they are found, and what is said when they are not."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.recipes import load_recipe, recipe_names, recipe_notes, recipe_places
from emberline.pipelines.runtime.projects import Project, project_of, projects
from tests.pipelines.foreign_project import NETWORK, RECIPE, write_project

ROOT = Path(__file__).parents[3]


def test_a_recipe_of_the_present_folders_project_is_found_by_its_modules_name(project: Path) -> None:
    recipe = load_recipe("rides", {"model.units": "7"})
    assert (recipe.name, recipe.model.units, recipe.family) == ("rides", 7, "rides")  # type: ignore[attr-defined]
    assert load_dataset(recipe.dataset).schema.names == load_dataset("rides.data:DATASET").schema.names
    assert recipe_notes("rides").startswith("Rides that were tipped")
    assert "rides" not in recipe_names()


def test_an_entry_point_may_name_one_object(project: Path) -> None:
    recipe = load_recipe("quick_rides")
    assert recipe.name == "quick_rides"
    assert load_dataset(recipe.dataset).name == "rides"
    assert (recipe.dataset_name, recipe.to_json()["dataset"]) == ("rides", "rides")


def test_anything_is_named_in_full(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_recipe("rides.variants:QUICK").name == "quick_rides"
    assert load_recipe("rides.recipes.rides:").name == "rides"
    assert load_dataset("rides.data:DATASET").name == "rides"
    assert load_recipe("emberline.pipelines.recipes.tabular.iris_dnn:RECIPE").name == "iris_dnn"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rids", r"Unknown recipe 'rids'. Did you mean 'rides'.* Looked at 54 of emberline, 2 of rides-project"),
        ("moviereco", r"Unknown recipe 'moviereco'. `emberline list` names all recipes."),
        ("rides.recipies:X", r"No module 'rides.recipies', for recipe 'rides.recipies:X'. Looked in .*checkout and on"),
        ("nowhere.recipes:X", r"No module 'nowhere', for recipe"),
        ("rides.variants:QUICKK", r"has no 'QUICKK'. Did you mean 'QUICK'\?"),
        ("rides.variants:LIST", r"rides.variants:LIST is no Recipe: its type is list."),
    ],
)
def test_a_wrong_name_says_where_it_looked(project: Path, name: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as raised:
        load_recipe(name)
    assert len(str(raised.value)) < 420, "names are listed by a command, not by every message"


def test_a_thing_that_is_no_dataset_is_refused(project: Path) -> None:
    with pytest.raises(BadInputError, match=r"rides.variants:LIST is no dataset: a list has no name and no schema"):
        load_dataset("rides.variants:LIST")


def test_two_recipes_of_one_name_are_told_apart_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_project(tmp_path, rides__recipes__iris_dnn=RECIPE)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    with pytest.raises(
        BadInputError, match=r"2 recipes are called 'iris_dnn': give one in full, .*rides.recipes.iris_dnn:"
    ):
        load_recipe("iris_dnn")
    for name in [name for name in sys.modules if name.partition(".")[0] == "rides"]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (RECIPE.replace("epochs=1,", "epochs=1, epoch=2,"), "TypeError: .*unexpected keyword argument 'epoch'", 12),
        (RECIPE.replace("epochs=1,", "epochs=0,"), "BadInputError: training.epochs must be at least 1, got 0", 12),
        (RECIPE.replace('"adam"', '"adamm"'), "Unknown optimizer 'adamm'. Did you mean 'adam'", 12),
        (RECIPE.replace("RECIPE = Recipe(", "RECIPE = Recipe[("), "SyntaxError: ", 7),
        (RECIPE.replace("from rides import network", "import netwrok as network"), "No module named 'netwrok'", 5),
        (RECIPE.replace("network.Config(", "network.config("), "AttributeError: ", 11),
    ],
)
def test_a_broken_recipe_says_file_and_line(project: Path, text: str, message: str, line: int) -> None:
    file = project / "rides" / "recipes" / "rides.py"
    file.write_text(text)
    with pytest.raises(BadInputError, match=message) as raised:
        load_recipe("rides")
    assert f"({file}, line {line})" in str(raised.value)


def test_a_missing_column_view_is_found_when_the_network_is_declared() -> None:
    from emberline.features.columns import HashBucket
    from emberline.models.tabular import dnn, wide_deep

    for config in (dnn.Config, lambda deep: wide_deep.Config((), deep)):
        with pytest.raises(BadInputError, match="Column 'zone' is not dense: wrap ids in Indicator or Embedding"):
            config((HashBucket("zone", 10),))


def test_an_unreadable_pyproject_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[project\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInputError, match=r"pyproject.toml cannot be read"):
        recipe_places()


def test_sources_may_lie_in_src(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_project(tmp_path)
    (folder / "src").mkdir()
    (folder / "rides").rename(folder / "src" / "rides")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert load_recipe("rides").name == "rides"
    (found,) = [known for known in projects() if known.name == "rides-project"]
    assert (found.called, found.packages, found.loaded) == ("rides-project 1.2", ("rides",), True)
    for name in [name for name in sys.modules if name.partition(".")[0] == "rides"]:
        del sys.modules[name]


def test_the_project_of_a_module(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_recipe("rides")
    found = project_of("rides.network")
    assert isinstance(found, Project)
    assert found.name == "rides-project"
    assert found.locations() == {"rides": project / "rides"}
    assert project_of("emberline.models.tabular.dnn") is None
    assert project_of("numpy") is None
    assert project_of("json") is None
    (tmp_path / "loose_rides.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    loose = project_of("loose_rides")
    assert loose
    assert (loose.name, loose.version, loose.packages) == ("loose_rides", "", ("loose_rides",))


@pytest.mark.parametrize("editable", [True, False])
def test_an_installed_projects_recipes_are_found_anywhere(tmp_path: Path, editable: bool) -> None:
    """By pip itself, into a folder of its own: its entry points are those of its metadata."""
    checkout, site = write_project(tmp_path / "checkout"), tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--target", str(site)]
    done = subprocess.run(
        [*install, *(["--editable"] if editable else []), str(checkout)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    script = (
        f"import site; site.addsitedir({str(site)!r})\n"
        "from emberline.pipelines.recipes import load_recipe\n"
        "from emberline.pipelines.runtime.projects import project_of\n"
        "recipe = load_recipe('rides')\n"
        "project = project_of('rides.network')\n"
        "print(recipe.name, project.called, project.packages, project.folder, project.locations()['rides'])"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    where = checkout / "rides" if editable else site / "rides"
    folder = str(checkout) if editable else ""
    assert done.stdout.strip() == f"rides rides-project 1.2 ('rides',) {folder} {where}", done.stderr


def test_a_network_that_does_not_build_is_refused_by_check_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from emberline.pipelines.console.views import show_view

    (project / "rides" / "network.py").write_text(NETWORK.replace("(config.units,)", "(config.width,)"))
    assert show_view(["rides"])["recipe"]["name"] == "rides"
    with pytest.raises(BadInputError, match=r"Network rides.network of recipe 'rides': AttributeError: .*width"):
        show_view(["rides", "--check"])
