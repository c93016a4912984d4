"""The jobs that the DAGs submit: accepted by the jobs, fitting together, and looking as expected."""

import importlib
import os
import shlex
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden")
OVERRIDES = ["training.epochs=2", "training.global_batch=64"]
DAILY = "emberline_census_wide_deep"
JOBS = {
    DAILY: ["validate", "etl", "train", "evaluate", "promote"],
    f"{DAILY}_incremental": ["validate", "etl", "train", "evaluate", "promote"],
    f"{DAILY}_retrain": ["etl", "train", "evaluate", "promote"],
    f"{DAILY}_score": ["score"],
    f"{DAILY}_drift": ["drift"],
    f"{DAILY}_tune": ["etl", "tune"],
    "emberline_census_compare": [
        *(
            f"{recipe}.{step}"
            for recipe in ("census_linear", "census_wide_deep", "census_best")
            for step in ("etl", "train", "evaluate")
        ),
        "compare",
    ],
}
PAIRS = [(dag, task) for dag, tasks in JOBS.items() for task in tasks]


@pytest.fixture(scope="module")
def rendered(airflow: Any) -> dict[str, dict[str, Any]]:
    """The jobs of every DAG on 2 January 2026, with two overrides."""
    answer: dict[str, dict[str, Any]] = airflow.ask(
        "render_all", dag_ids=list(JOBS), when="2026-01-02", conf={"overrides": OVERRIDES}
    )
    return answer


@pytest.fixture(scope="module")
def given(rendered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The daily DAG's arguments, parsed."""
    return {task: parsed(rendered[DAILY][task]) for task in JOBS[DAILY]}


def parsed(task: dict[str, Any]) -> Any:
    job = importlib.import_module(f"emberline.jobs.{Path(task['application']).stem}")
    return job.parser().parse_args(task["arguments"])


def test_every_dag_is_looked_at() -> None:
    assert {path.stem for path in (ROOT / "airflow_dags").glob("emberline_*.py")} == set(JOBS)


@pytest.mark.parametrize("dag", JOBS)
def test_a_dag_submits_these_jobs(rendered: dict[str, Any], dag: str) -> None:
    assert sorted(rendered[dag]) == sorted(JOBS[dag])


@pytest.mark.parametrize(("dag", "task"), PAIRS)
def test_arguments_are_accepted_by_the_jobs_own_parser(rendered: dict[str, Any], dag: str, task: str) -> None:
    job = parsed(rendered[dag][task])
    if task != "compare":
        assert job.pipeline in (DAILY.removeprefix("emberline_"), task.partition(".")[0])
        assert job.overrides == dict(item.split("=") for item in OVERRIDES)
    assert "{{" not in " ".join(rendered[dag][task]["command"])
    assert (ROOT / Path(rendered[dag][task]["application"]).relative_to("/opt/emberline")).is_file()


@pytest.mark.parametrize("task", JOBS[DAILY])
def test_wrong_argument_is_refused_by_the_jobs_own_parser(rendered: dict[str, Any], task: str) -> None:
    # Otherwise the test above would prove nothing.
    right = rendered[DAILY][task]
    wrong = {**right, "arguments": [text.replace("--submission", "--the-submission") for text in right["arguments"]]}
    with pytest.raises(SystemExit) as ended:
        parsed(wrong)
    assert ended.value.code == 2


def test_each_step_reads_what_the_one_before_wrote(given: dict[str, Any]) -> None:
    assert given["etl"].input == given["validate"].input == "hdfs:///raw/census/20260102"
    assert given["train"].dataset == given["etl"].output
    assert given["evaluate"].training == given["promote"].training == given["train"].output
    assert len({job.tracking_uri for job in given.values() if hasattr(job, "tracking_uri")}) == 1
    assert {job.pipeline_run for job in given.values() if hasattr(job, "pipeline_run")} == {
        f"{DAILY}/scheduled__2026-01-02T00:00:00+00:00"
    }


def test_each_task_of_a_run_is_a_submission_of_its_own(rendered: dict[str, Any]) -> None:
    files = [task["submission"] for dag in rendered.values() for task in dag.values()]
    assert len(set(files)) == len(files) == len(PAIRS)
    for dag in rendered.values():
        for task in dag.values():
            assert parsed(task).submission == task["submission"]
    # HDFS takes no colon in a path.
    assert not any(":" in file.removeprefix("hdfs:") for file in files)


def test_dags_of_one_recipe_share_no_folder(rendered: dict[str, Any]) -> None:
    written = [
        parsed(task).output for dag in rendered.values() for task in dag.values() if hasattr(parsed(task), "output")
    ]
    assert len(set(written)) == len(written)


def test_retraining_and_searching_take_everything(rendered: dict[str, Any]) -> None:
    for dag in (f"{DAILY}_retrain", f"{DAILY}_tune"):
        assert parsed(rendered[dag]["etl"]).input == "hdfs:///raw/census/all"


def test_incremental_training_begins_with_the_champion(rendered: dict[str, Any]) -> None:
    champion = "models:/emberline-census_wide_deep@champion"
    assert parsed(rendered[f"{DAILY}_incremental"]["etl"]).statistics_of == champion
    assert parsed(rendered[f"{DAILY}_incremental"]["train"]).warm_start == champion


def test_compared_are_the_three_trainings(rendered: dict[str, Any]) -> None:
    jobs = rendered["emberline_census_compare"]
    trained = [parsed(task).output for name, task in jobs.items() if name.endswith(".train")]
    assert sorted(parsed(jobs["compare"]).runs) == sorted(trained)


@pytest.mark.parametrize("dag", JOBS)
def test_commands_are_the_expected_ones(rendered: dict[str, Any], dag: str) -> None:
    """EMBERLINE_UPDATE_GOLDEN=1 writes them anew; read the difference before you commit it."""
    text = "\n".join(f"# {task}\n{shlex.join(rendered[dag][task]['command'])}\n" for task in JOBS[dag])
    golden = GOLDEN / f"{dag}.txt"
    if os.environ.get("EMBERLINE_UPDATE_GOLDEN"):
        GOLDEN.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_outputs_are_parted_by_logical_date_or_by_the_moment_of_a_run_without_one(
    airflow: Any, given: dict[str, Any]
) -> None:
    triggered = parsed(airflow.ask("render", dag_id=DAILY, when=None, conf={})["etl"])
    assert given["etl"].output == f"hdfs:///emberline/datasets/{DAILY}/census_wide_deep/20260102T000000"
    assert triggered.output == f"hdfs:///emberline/datasets/{DAILY}/census_wide_deep/20260506T070809"
    assert triggered.input == "hdfs:///raw/census/20260505", (
        "the day that has ended: the present one has not all its rows"
    )


def test_an_hourly_run_is_about_its_hour(airflow: Any) -> None:
    hourly = airflow.ask("render", dag_id=DAILY, when="2026-01-02", conf={}, hours=1)["etl"]
    assert parsed(hourly).input == "hdfs:///raw/census/20260102T00"


def test_a_person_may_name_files_day_and_model(airflow: Any) -> None:
    conf = {"input": "s3://raw/mine", "day": "20260131", "model": "models:/mine/3"}
    scored = airflow.ask("render", dag_id=f"{DAILY}_score", when=None, conf=conf)["score"]
    job = parsed(scored)
    assert (job.input, job.model) == ("s3://raw/mine", "models:/mine/3")
    assert job.output == "hdfs:///emberline/predictions/census_wide_deep/20260131"
    assert scored["day"] == "20260131"


def test_override_that_is_no_assignment_is_refused(airflow: Any) -> None:
    with pytest.raises(AssertionError, match="Invalid input for param"):
        airflow.ask("render", dag_id=DAILY, when="2026-01-02", conf={"overrides": ["--overwrite"]})
