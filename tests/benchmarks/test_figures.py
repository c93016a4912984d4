"""The page of figures is what runs have printed, and no figure is much older than its code."""

import dataclasses
import subprocess
from pathlib import Path

import pytest

from benchmarks.catalogue import CATALOGUE
from benchmarks.figures import LINES, OLDEST, PAGE, Figure, age, figures_of, machine, merged, page, read

FIGURE = Figure(
    "text", "etl_vs_spark_ml", 2.0, 1.5, 2.5, 3, "Spark ML", "quick", "a machine", "0" * 40, "2026-01-01T00:00Z", 0.5
)


def test_the_page_is_made_of_the_lines() -> None:
    assert PAGE.read_text() == page(read(LINES)), "run `make figures`, which writes both"


def test_no_figure_is_older_than_its_code_by_far() -> None:
    old = {(one.benchmark, one.figure): commits for one in read(LINES) if (commits := age(one)) and commits > OLDEST}
    assert not old, f"measured before so many commits to their code: {old}. Measure them again: make figures ONLY=…"


def test_a_line_is_what_a_benchmark_has_printed() -> None:
    told = {
        "benchmark": "text",
        "size": "quick",
        "ratios": {"etl_vs_spark_ml": {"median": 2.0, "min": 1.5, "max": 2.5, "turns": 3}},
    }
    (found,) = figures_of(told, machine="a machine", commit="0" * 40, date="2026-01-01T00:00Z", load=0.5)
    assert found.opponent.startswith("Spark ML (pyspark 4")
    assert dataclasses.replace(found, opponent=FIGURE.opponent) == FIGURE


def test_a_figure_without_an_opponent_is_refused() -> None:
    with pytest.raises(KeyError, match="'etl_vs_nobody'"):
        CATALOGUE["text"].opponent("etl_vs_nobody")


def test_other_lines_stay_when_a_benchmark_runs_again() -> None:
    other = dataclasses.replace(FIGURE, benchmark="scoring", figure="tabular_vs_spark_udf")
    again = dataclasses.replace(FIGURE, median=3.0, commit="1" * 40)
    assert merged([FIGURE, other], [again]) == [other, again]
    text = page([other, again])
    assert "| `tabular_vs_spark_udf` | 2.00 |" in text
    assert "| `etl_vs_spark_ml` | 3.00 |" in text
    assert "`scoring`" not in text.partition("## Benchmarks without figures here")[2]


def test_a_machine_is_named_by_its_processor_cores_and_memory() -> None:
    assert " cores, " in machine()
    assert machine().endswith(" GiB")


@pytest.fixture
def history(tmp_path: Path) -> tuple[Path, list[str]]:
    """A repository, and its commits: one of the measured folder, three more of it, and one elsewhere."""
    root = tmp_path / "history"
    (root / "features").mkdir(parents=True)

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *arguments]
        return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True, timeout=60).stdout.strip()

    git("init", "-q")
    commits = []
    for number, name in enumerate(["features/a", "features/b", "features/a", "README", "features/a"]):
        (root / name).write_text(str(number))
        git("add", ".")
        git("commit", "-q", "-m", name)
        commits.append(git("rev-parse", "HEAD"))
    return root, commits


def test_the_age_is_the_number_of_commits_to_the_measured_code(history: tuple[Path, list[str]]) -> None:
    root, commits = history
    ages = [age(dataclasses.replace(FIGURE, commit=commit), root) for commit in commits]
    assert ages == [3, 2, 1, 1, 0]


def test_of_an_unknown_commit_the_date_decides(history: tuple[Path, list[str]]) -> None:
    root, _ = history
    assert age(dataclasses.replace(FIGURE, date="2001-01-01T00:00Z"), root) == 4
    assert age(dataclasses.replace(FIGURE, date="2099-01-01T00:00Z"), root) == 0


def test_without_the_whole_history_nothing_has_an_age(history: tuple[Path, list[str]], tmp_path: Path) -> None:
    root, commits = history
    clone = ["git", "clone", "-q", "--depth", "1", f"file://{root}", str(tmp_path / "shallow")]
    subprocess.run(clone, check=True, timeout=60)
    assert age(dataclasses.replace(FIGURE, commit=commits[0]), tmp_path / "shallow") is None
    (tmp_path / "no-git").mkdir()
    assert age(FIGURE, tmp_path / "no-git") is None
