"""Champions: promoted one at a time whoever asks, and rolled back. The processes are real ones."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from emberline.features.errors import BadInputError
from emberline.pipelines.tracking import CHALLENGER, CHAMPION, Tracker, TrackingError, promotion_lock
from emberline.pipelines.tracking.registry import HISTORY

ROOT = Path(__file__).parents[2]
NAME = "emberline-flowers"

CONTESTANT = """
    import sys, time
    from pathlib import Path
    from emberline.pipelines.tracking import Tracker

    uri, name, version, ready, go = sys.argv[1:]
    tracker = Tracker(uri)
    mine = tracker.version(name, int(version))
    crown = tracker._crown
    def slowly(*given):
        time.sleep(0.5)  # whoever only looks before it writes is overtaken here
        crown(*given)
    tracker._crown = slowly
    Path(ready).touch()
    while not Path(go).exists():
        time.sleep(0.01)
    while True:
        held = tracker.champion(name)
        if held and float(held.tags["auc"]) >= float(mine.tags["auc"]):
            print("lost")
            break
        if tracker.promote(mine, held):
            print("won")
            break
"""

OPENER = """
    import sys, time
    from pathlib import Path
    from emberline.pipelines.recipes import load_recipe
    from emberline.pipelines.tracking import Tracker

    uri, key, ready, go = sys.argv[1:]
    tracker, recipe = Tracker(uri), load_recipe("iris_dnn")
    Path(ready).touch()
    while not Path(go).exists():
        time.sleep(0.01)
    with tracker.pipeline_run(recipe, key) as run:
        print(run)
"""


def together(folder: Path, script: str, arguments: list[list[str]]) -> list[str]:
    """What processes print that begin at the same moment."""
    go, processes = folder / "go", []
    go.unlink(missing_ok=True)
    for number, given in enumerate(arguments):
        ready = folder / f"ready-{number}"
        ready.unlink(missing_ok=True)
        processes.append(
            subprocess.Popen(
                [sys.executable, "-c", textwrap.dedent(script), *given, str(ready), str(go)],
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    deadline = time.monotonic() + 120
    while not all((folder / f"ready-{number}").exists() for number in range(len(processes))):
        ended = [process.communicate(timeout=60) for process in processes if process.poll() is not None]
        assert not ended, ended
        assert time.monotonic() < deadline
        time.sleep(0.05)
    go.touch()
    said = [process.communicate(timeout=120) for process in processes]
    assert not any(process.returncode for process in processes), said
    return [stdout.strip() for stdout, _ in said]


def versions(tracker: Tracker, *metrics: float) -> None:
    """Registers versions 1, 2, … with these metrics."""
    client = tracker.client
    client.create_registered_model(NAME)
    with tracker.step("flowers", "train") as run:
        source = client.get_run(run.id).info.artifact_uri
    for metric in metrics:
        client.create_model_version(NAME, f"{source}/model", run.id, tags={"auc": str(metric)})


def history(tracker: Tracker) -> list[int]:
    return json.loads(tracker.client.get_registered_model(NAME).tags[HISTORY])


@pytest.mark.parametrize("store", ["sqlite", pytest.param("server", marks=pytest.mark.slow)])
def test_of_two_promotions_at_once_only_one_wins(store: str, tmp_path: Path, request) -> None:
    """Each beats the present champion; the worse of them must not end as champion, nor be one behind the better."""
    uri = f"sqlite:///{tmp_path}/mlflow.db" if store == "sqlite" else request.getfixturevalue("mlflow_server").uri
    tracker = Tracker(uri)
    versions(tracker, 0.7, 0.9, 0.8)
    assert tracker.promote(tracker.version(NAME, 1), None)
    said = together(tmp_path, CONTESTANT, [[uri, NAME, "2"], [uri, NAME, "3"]])
    assert said[0] == "won"
    assert tracker.champion(NAME).version == 2
    assert history(tracker) in ([1, 2], [1, 3, 2]), "a champion is followed by better ones only"
    assert said[1] == ("won" if 3 in history(tracker) else "lost")


def test_two_jobs_of_one_pipeline_run_meet_in_one_run(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    Tracker(uri)
    said = together(tmp_path, OPENER, [[uri, "it's today"]] * 3)
    assert len(set(said)) == 1
    assert len(said[0]) == 32


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    versions(tracker, 0.7, 0.8, 0.9)
    return tracker


def test_a_champion_that_was_judged_against_an_earlier_one_is_turned_away(tracker: Tracker) -> None:
    first, second, third = (tracker.version(NAME, number) for number in (1, 2, 3))
    assert tracker.promote(first, None)
    assert tracker.promote(third, first)
    assert not tracker.promote(second, first)
    assert tracker.champion(NAME) == third


def test_a_server_that_is_away_is_no_absent_model(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a candidate would be the first champion of its kind, and a job would end with the code of bad input."""
    assert tracker.champion("nobody") is None
    with pytest.raises(BadInputError, match="No alias 'champion' of model 'nobody'"):
        tracker.find("models:/nobody@champion")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        away = f"http://127.0.0.1:{closed.getsockname()[1]}"
    tracker.client = MlflowClient(away, away)
    for ask in (
        lambda: tracker.champion(NAME),
        lambda: tracker.version(NAME, 1),
        lambda: tracker.find(f"models:/{NAME}@champion"),
        lambda: tracker.find("runs:/0123/model"),
        lambda: tracker.read_run("0123"),
    ):
        with pytest.raises(TrackingError, match="does not answer"):
            ask()


def test_rollback_goes_back_step_by_step(tracker: Tracker) -> None:
    first, second, third = (tracker.version(NAME, number) for number in (1, 2, 3))
    for version, before in ((first, None), (second, first), (third, second)):
        assert tracker.promote(version, before)
    assert tracker.roll_back(NAME) == (3, 2)
    assert tracker.roll_back(NAME) == (2, 1)
    with pytest.raises(BadInputError, match="nothing to go back to"):
        tracker.roll_back(NAME)
    assert tracker.champion(NAME) == first
    assert tracker.promote(third, first)
    assert history(tracker) == [1, 3]
    assert tracker.roll_back(NAME) == (3, 1)


def test_rollback_passes_over_versions_that_were_deleted(tracker: Tracker) -> None:
    first, second, third = (tracker.version(NAME, number) for number in (1, 2, 3))
    for version, before in ((first, None), (second, first), (third, second)):
        assert tracker.promote(version, before)
    tracker.client.delete_model_version(NAME, "2")
    assert tracker.roll_back(NAME) == (3, 1)


def test_rollback_of_what_is_not_there(tracker: Tracker) -> None:
    with pytest.raises(BadInputError, match=r"No model 'nobody' with a champion in .*Registered: emberline-flowers"):
        tracker.roll_back("nobody")


def test_a_challenger_that_wins_is_challenger_no_more(tracker: Tracker) -> None:
    second = tracker.version(NAME, 2)
    tracker.challenge(second)
    assert tracker.find(f"models:/{NAME}@{CHALLENGER}") == second
    assert tracker.promote(second, None)
    assert tracker.client.get_registered_model(NAME).aliases == {CHAMPION: 2}


def test_a_turn_that_nobody_ends_is_passed_over(tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promotion_lock, "TURN_SECONDS", 1)
    assert tracker._claim(f"champion/{NAME}/1")  # as a process does that is killed right after
    assert tracker.promote(tracker.version(NAME, 1), None)
    # It was only asleep: what it wanted to write is not true any more.
    with pytest.raises(TrackingError, match="another process has passed it over"):
        tracker._crown(NAME, 2, [2], turn=1)
    assert tracker.champion(NAME).version == 1
