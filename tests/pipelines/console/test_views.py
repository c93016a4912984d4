"""What `list`, `show`, `doctor` and `--version` say, of our recipes and of other people's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emberline.features.errors import BadInputError
from emberline.jobs.__main__ import main
from emberline.pipelines.console import parameter_counts
from emberline.pipelines.console.parameter_counts import KnownCounts
from emberline.pipelines.console.project_checks import project_checks
from emberline.pipelines.console.views import list_view, show_view
from emberline.pipelines.recipes import load_recipe, recipe_names
from emberline.pipelines.runtime.version import VERSION
from tests.pipelines.foreign_project import RECIPE


def rows(listed: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in listed["recipes"]}


def test_list_shows_a_projects_recipes_beside_ours(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = rows(list_view([]))
    assert len(listed) == len(recipe_names()) + 2
    assert listed["iris_dnn"]["parameters"] == 193
    # Two inputs of one and three ones and zeros, three hidden units, one output.
    assert {listed[name]["parameters"] for name in ("rides", "quick_rides")} == {(1 + 3) * 3 + 3 + 3 + 1}
    assert (listed["rides"]["project"], listed["rides"]["dataset"], listed["rides"]["synthetic"]) == (
        "rides-project",
        "rides",
        False,
    )
    told = capsys.readouterr().err
    assert "[rides-project] our own" in told
    assert "slow_sgd                 optimizers               [rides-project] rides.losses:slow_sgd" in told


def test_a_broken_recipe_of_a_project_does_not_break_the_list(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "rides" / "recipes" / "worse.py").write_text(RECIPE.replace("epochs=1,", "epoch=1,"))
    listed = list_view([])
    assert {"rides", "iris_dnn"} <= rows(listed).keys()
    (broken,) = listed["broken"]
    assert (broken["name"], broken["project"]) == ("worse", "rides-project")
    assert f"{project}/rides/recipes/worse.py, line 12" in broken["reason"]
    assert "worse                    cannot be used: rides.recipes.worse cannot be imported" in capsys.readouterr().err


def test_a_broken_recipe_ends_its_own_commands_with_code_2(
    project: Path, emberline: Callable[..., Any], tmp_path: Path
) -> None:
    (project / "rides" / "recipes" / "rides.py").write_text(RECIPE.replace("epochs=1,", "epoch=1,"))
    done = emberline("show", "rides", cwd=project)
    assert done.code == 2
    assert done.result["kind"] == "BadInputError"
    assert done.stderr.count("rides.py, line 12") == 1
    assert "Traceback" not in done.stderr


def test_weights_of_a_projects_network_are_counted_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, built = load_recipe("rides"), []

    def count(given: object) -> int:
        built.append(given)
        return 19

    monkeypatch.setattr(parameter_counts, "parameters", count)
    file = project.parent / "counts.json"
    assert [KnownCounts(file).of(recipe) for _ in range(2)] == [19, 19]
    assert len(built) == 1
    network = project / "rides" / "network.py"
    network.write_text(network.read_text() + "\n# changed\n")
    KnownCounts(file).of(recipe)
    assert len(built) == 2, "the code decides about the number"
    KnownCounts(file).of(load_recipe("rides", {"model.units": "4"}))
    assert len(built) == 3
    file.write_text("{")
    assert KnownCounts(file).of(recipe) == 19, "a file that is damaged is made anew"
    assert len(json.loads(file.read_text())) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["dataset=irsi"], "Unknown dataset 'irsi'. Did you mean 'iris'"),
        (["training.optimizers.0.kind=adamm"], "Did you mean 'adam'"),
        (["evaluation.slices=species_"], "species_"),
        (["gate.slices=petal_width"], "evaluate does not measure them"),
        (["gate.metric=rmse"], "rmse"),
        (["dataset=census"], "No field"),
    ],
)
def test_show_refuses_what_cannot_work(settings: list[str], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        show_view(["iris_dnn", *(word for setting in settings for word in ("--set", setting))])


def test_show_check_builds_networks_with_learned_columns_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert show_view(["iris_dnn", "--check"])["weights"] == 193
    assert show_view(["census_best", "--check"])["weights"] > 0


def test_doctor_looks_at_projects(project: Path) -> None:
    (good,) = [check for check in project_checks() if "rides" in check.name]
    assert good.good
    assert good.found.startswith("1.2+")
    assert good.found.endswith(
        ": recipes 2, datasets 1, networks 1, columns 1, losses 1, metrics 1, optimizers 1, tasks 1"
    )
    (project / "rides" / "recipes" / "worse.py").write_text("RECIPE = 1\n")
    (project / "rides" / "recipes" / "worst.py").write_text("RECIPE = \n")
    (bad,) = [check for check in project_checks() if "rides" in check.name]
    assert not bad.good
    assert "rides.recipes.worse:RECIPE is no Recipe: its type is int" in bad.advice
    assert "worst.py, line 1" in bad.advice


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"emberline {VERSION}")
