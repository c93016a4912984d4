"""Searches for hyper-parameters: with a made-up training for what the search itself does, and once with real ones."""

import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.tracking import MlflowClient

from emberline.features.errors import BadInputError
from emberline.pipelines import tune as module
from emberline.pipelines.cluster.gang import ClusterError
from emberline.pipelines.datasets.tabular import iris
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipe.overrides import with_overrides
from emberline.pipelines.recipe.search_space import Between, OneOf
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.tune import tune

RATE = "training.optimizers.0.learning_rate"
SPACE = [Between(RATE, 1e-4, 1.0, log=True), OneOf("model.hidden_units", ((10,), (10, 10)))]


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch):
    """Trainings whose accuracy is best at a rate of 0.01; those of the numbers in `broken` fail."""
    seen: list[Recipe] = []
    broken: set[int] = set()

    def train(spark, recipe, dataset, output, tracker, *, parent, name, watch):
        seen.append(recipe)
        if len(seen) in broken:
            raise ClusterError("Worker 0 failed: Traceback\n  …\nFloatingPointError: the loss is not finite")
        reached = 1 - abs(math.log10(recipe.training.optimizers[0].learning_rate) + 2) / 4
        for epoch in range(1, 4):
            watch(epoch, {"eval_accuracy": reached * epoch / 3})
        return SimpleNamespace(metrics={"eval_accuracy": reached}, training=output)

    monkeypatch.setattr(module, "train", train)
    monkeypatch.setattr(module, "open_version", lambda uri: SimpleNamespace(digest="abc", schema=iris.SCHEMA))
    return SimpleNamespace(seen=seen, broken=broken)


def search(store: str, output: Path, trials: int, **options: object):
    recipe = load_recipe("iris_dnn")
    return tune(None, recipe, "dataset", str(output), Tracker(store), space=SPACE, trials=trials, **options)


def test_it_comes_near_the_best_and_ends_hopeless_trials(store: str, tmp_path: Path, made_up) -> None:
    found = search(store, tmp_path / "search", 25)
    assert found.metric == "eval_accuracy"
    assert found.best > 0.9
    assert float(found.overrides[RATE]) == pytest.approx(0.01, rel=1.5)
    assert found.trials["pruned"] >= 3
    assert sum(found.trials.values()) == 25
    assert found.training.startswith(str(tmp_path / "search" / "trials"))
    # What it says can be given to --set as it is.
    assert load_recipe("iris_dnn", found.overrides).model.hidden_units in ((10,), (10, 10))


def test_an_interrupted_search_goes_on(store: str, tmp_path: Path, made_up, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = module.train

    def interrupted(*given, **named):
        if len(made_up.seen) == 5:
            raise KeyboardInterrupt
        return whole(*given, **named)

    monkeypatch.setattr(module, "train", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(store, tmp_path / "search", 8)
    begun = json.loads((tmp_path / "search" / "search.json").read_text())["trials"]
    assert [trial["state"] == "running" for trial in begun] == [False] * 5 + [True]
    monkeypatch.setattr(module, "train", whole)
    found = search(store, tmp_path / "search", 8)
    assert sum(found.trials.values()) == 8
    assert len(made_up.seen) == 8
    assert made_up.seen[5] == with_overrides(load_recipe("iris_dnn"), begun[5]["values"])
    with pytest.raises(BadInputError, match=r"another one: recipe\.training\.seed differed"):
        tune(None, load_recipe("iris_dnn", {"training.seed": "2"}), "dataset", str(tmp_path / "search"),
             Tracker(store), space=SPACE, trials=8)  # fmt: skip


def test_failed_trials_do_not_end_it_unless_all_fail(store: str, tmp_path: Path, made_up) -> None:
    made_up.broken.update({1, 3})
    assert search(store, tmp_path / "some", 6).trials["failed"] == 2
    made_up.broken.update(range(100))
    with pytest.raises(ClusterError, match=r"None of 3 trials .*the loss is not finite"):
        search(store, tmp_path / "all", 3)


def test_what_cannot_be_searched_is_refused(store: str, tmp_path: Path, made_up) -> None:
    recipe = load_recipe("iris_dnn")
    for space, message in (
        ((), r"declares no space .*--space"),
        ([Between("training.epochz", 1, 3)], r"training\.epochz"),
        ([OneOf("training.optimizers.0.kind", ("adam", 3))], r"kind"),
    ):
        with pytest.raises(BadInputError, match=message):
            tune(None, recipe, "dataset", str(tmp_path / "search"), Tracker(store), space=space, trials=2)
    (tmp_path / "else").mkdir()
    with pytest.raises(BadInputError, match=r"exists and is no search"):
        search(store, tmp_path / "else", 1)


def test_real_trials_at_the_same_time(spark, flowers: str, store: str, tmp_path: Path) -> None:
    found = tune(
        spark, load_recipe("iris_dnn", {"training.epochs": "2"}), flowers, str(tmp_path / "search"), Tracker(store),
        space=[OneOf(RATE, (1e-6, 0.02))], trials=3, parallel=2,
    )  # fmt: skip
    assert found.overrides == {RATE: "0.02"}
    assert found.best > 0.9
    client = MlflowClient(store)
    above = client.get_run(found.run_id)
    below = client.search_runs([above.info.experiment_id], f"tags.`mlflow.parentRunId` = '{found.run_id}'")
    assert above.info.status == "FINISHED"
    assert {run.info.status for run in below} == {"FINISHED"}
    assert 2 <= len(below) <= 3  # the third trial may have had the values of an earlier one
    assert max(run.data.metrics["eval_accuracy"] for run in below) == found.best
