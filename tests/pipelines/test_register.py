"""Two trainings on different dataset versions, registered one after the other: compared on the same rows."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.iris import split, write_split
from emberline.features.errors import BadInputError
from emberline.pipelines.etl import tracked_etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.register import RegisterResult, register
from emberline.pipelines.runtime.claim import OutputBusyError, claim
from emberline.pipelines.score import score
from emberline.pipelines.tracking import CHALLENGER, CHAMPION, Tracker, trace
from emberline.pipelines.train import train

MODEL = "emberline-iris_dnn"
SETTINGS = {
    "training.mode": "local", "training.epochs": "10", "gate.limit": "0.1", "evaluation.slices": "petal_width:1",
    "gate.slices": "petal_width", "gate.slice_rows": "1", "gate.latency_ms": "10000", "gate.latency_ms_1000": "10000",
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """One training and what it was made of."""

    dataset: str
    digest: str
    training: str
    run_id: str
    registered: RegisterResult


@dataclass(frozen=True)
class World:
    """A store with two model versions.

    Args:
        folder: Of all files.
        tracker: The store.
        first: The champion, of one dataset version.
        second: Trained worse, on another.
        held_out: Measurements and species of the second's held-out rows.
    """

    folder: Path
    tracker: Tracker
    first: Made
    second: Made
    held_out: tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def world(spark, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
    train_x, test_x, train_y, test_y = split()
    held_out = train_x[:40], train_y[:40]
    tables = {"first": (train_x, test_x, train_y, test_y), "second": (train_x, held_out[0], train_y, held_out[1])}
    rates = {"first": "0.05", "second": "0.0001"}
    made = {}
    for name, table in tables.items():
        settings = SETTINGS | {"training.optimizers.0.learning_rate": rates[name]}
        recipe, training = load_recipe("iris_dnn", settings), f"{folder}/{name}/training"
        write_split(f"{folder}/{name}/raw", table)
        with tracker.pipeline_run(recipe, name):
            prepared = tracked_etl(spark, recipe, f"{folder}/{name}/raw", f"{folder}/{name}/dataset", tracker)
            trained = train(spark, recipe, prepared.dataset, training, tracker)
            evaluate(spark, recipe, training, tracker)
            registered = register(spark, recipe, training, tracker)
        made[name] = Made(prepared.dataset, prepared.digest, training, trained.run_id, registered)
    return World(folder, tracker, made["first"], made["second"], held_out)


def verdict(world: World, made: Made) -> dict[str, dict[str, Any]]:
    """The table of reasons, by condition."""
    table = world.tracker.read_json(made.run_id, "verdict.json")
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    return {row["condition"]: row for row in rows}


def test_the_champion_is_judged_on_the_candidates_rows(world: World) -> None:
    """The oracle: the champion's SavedModel, called here on the raw held-out rows of the second version."""
    assert (world.first.registered.alias, world.second.registered.alias) == (CHAMPION, CHALLENGER)
    assert world.second.registered.champion == 1
    found = verdict(world, world.second)
    call = tf.saved_model.load(f"{world.first.training}/model").signatures["serving_default"]
    rows, species = world.held_out
    names = ("sepal_length", "sepal_width", "petal_length", "petal_width")
    predicted = call(**{name: tf.constant(rows[:, place], tf.float64) for place, name in enumerate(names)})
    right = predicted["class"].numpy() == species
    assert found["champion's accuracy"]["against"] == pytest.approx(right.mean())
    assert found["champion's accuracy"]["passed"] == "no"
    narrow = rows[:, 3] < 1
    slices = [row for name, row in found.items() if name.startswith("accuracy of petal_width")]
    assert sorted(row["against"] for row in slices) == pytest.approx(
        sorted([right[narrow].mean(), right[~narrow].mean()])
    )
    assert world.second.registered.verdict.startswith("not champion: ")
    assert "does not beat the present champion's" in world.second.registered.verdict


def test_a_registration_that_was_ended_makes_no_second_version(spark, world: World) -> None:
    """Ended between the version and its own last word, and tried again; then twice at once."""
    recipe, done = load_recipe("iris_dnn", SETTINGS), Path(world.second.training) / "registered.json"
    done.unlink()
    again = register(spark, recipe, world.second.training, world.tracker)
    assert (again.version, again.alias) == (world.second.registered.version, CHALLENGER)
    client = mlflow.MlflowClient(world.tracker.uri)
    assert len(client.search_model_versions(f"name = '{MODEL}'")) == 2
    done.unlink()
    with claim(f"{world.second.training}/register"), pytest.raises(OutputBusyError, match="Another process writes"):
        register(spark, recipe, world.second.training, world.tracker)
    assert register(spark, recipe, world.second.training, world.tracker).version == again.version


def test_the_table_says_what_was_asked(world: World) -> None:
    found = verdict(world, world.first)
    assert set(found) == {"limit of accuracy", "latency of 1 rows", "latency of 1,000 rows", "champion's accuracy"}
    assert {row["passed"] for row in found.values()} == {"yes"}
    assert found["champion's accuracy"]["reason"].startswith("the first with accuracy")
    assert 0 < found["latency of 1 rows"]["candidate"] < found["latency of 1,000 rows"]["candidate"] * 10


def test_a_version_carries_where_it_comes_from_and_an_example(world: World, tmp_path: Path) -> None:
    version = world.tracker.version(MODEL, 1)
    assert version.tags["emberline.dataset_digest"] == world.first.digest
    assert version.tags["emberline.training"] == world.first.training
    assert float(version.tags["emberline.latency_ms_1"]) > 0
    model = mlflow.models.Model.load(f"models:/{MODEL}/1")
    example = model.load_input_example(mlflow.artifacts.download_artifacts(f"models:/{MODEL}/1"))
    assert list(example.columns) == [column.name for column in model.signature.inputs]
    assert len(example) == 5
    loaded = mlflow.pyfunc.load_model(f"models:/{MODEL}/1")
    assert len(loaded.predict(example)["class"]) == 5


def test_lineage_from_raw_data_to_predictions_and_back(world: World, spark) -> None:
    raw, predictions = f"{world.folder}/first/raw", f"{world.folder}/predictions"
    score(spark, load_recipe("iris_dnn"), f"models:/{MODEL}@champion", raw, predictions, world.tracker)
    steps = ["etl", "train", "evaluate", "register", "score"]
    starts = [raw, world.first.dataset, world.first.digest, world.first.run_id, f"models:/{MODEL}/1", predictions]
    for what in starts:
        links = trace(world.tracker, what).links
        assert [link.step for link in links] == steps, what
        assert links[0].read == raw
        assert links[1].made == f"models:/{MODEL}/1"
        assert links[-1].made == predictions
    with pytest.raises(BadInputError, match=r"No run in .* knows 'nothing'"):
        trace(world.tracker, "nothing")


def test_facts_that_nobody_wrote_down(world: World) -> None:
    client = world.tracker.client
    run = client.get_run(world.first.run_id)
    assert run.data.tags["spark.application_id"].startswith("local-")
    assert (run.data.tags["spark.executors"], run.data.tags["spark.cores"]) == ("1", "2")
    files = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {
        "profile.html",
        "evaluation.html",
        "tensorboard",
        "environment.txt",
        "recipe.json",
        "features.json",
    } <= files
    assert run.data.metrics["step/loss"] > 0
    assert not list(Path(world.first.training).glob("_undelivered-*"))
    etl = next(link.run_id for link in trace(world.tracker, world.first.run_id).links if link.step == "etl")
    read = {item.dataset.name: item.tags[0].value for item in client.get_run(etl).inputs.dataset_inputs}
    assert read == {"emberline-iris-raw": "raw", "emberline-iris": "written"}
    manifest = json.loads(Path(world.first.dataset, "manifest.json").read_text())
    assert client.get_run(etl).data.tags["emberline.dataset_digest"] == manifest["digest"]
