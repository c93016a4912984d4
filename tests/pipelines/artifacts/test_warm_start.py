"""Statistics and weights of an older model: a new dataset version numbers as it does, a training begins with it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from pyspark.sql import SparkSession

from benchmarks.iris import split, write_split
from emberline.features import storage
from emberline.features.columns import Numeric, Vocabulary
from emberline.features.dataset_version import equal_meaning, open_version
from emberline.features.errors import BadInputError
from emberline.features.tfrecord.layouts import read_shard
from emberline.models.tabular import linear
from emberline.pipelines.artifacts.reused_statistics import open_reused_statistics
from emberline.pipelines.drift import measure_drift
from emberline.pipelines.etl import etl, tracked_etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.register import register
from emberline.pipelines.saved_model.digest import ModelChangedError
from emberline.pipelines.score import score
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

WORDS = replace(
    load_recipe("census_linear"),
    model=linear.Config((Vocabulary("occupation"), Numeric("age", "zscore"))),
)


def rows_of(uri: str, recipe: Recipe) -> dict[str, int]:
    """Ids of the occupation by key."""
    version, found = open_version(uri), {}
    shards = version.split("train")
    for shard in shards.shards:
        for batch in read_shard(storage.join(uri, "train"), shards, shard):
            found |= dict(zip(batch["row"].to_pylist(), batch["occupation"].to_pylist(), strict=True))
    return found


def test_inherited_statistics_give_equal_ids(spark: SparkSession, census_slice: Path, tmp_path: Path) -> None:
    """The second day has other occupations in front: on its own it numbers them otherwise."""
    lines = (census_slice / "adult.data").read_text().splitlines()
    (tmp_path / "day").mkdir()
    kept = [line for line in lines if "Prof-specialty" not in line and "Craft-repair" not in line]
    (tmp_path / "day" / "adult.data").write_text("\n".join(kept) + "\n")
    (tmp_path / "day" / "adult.test").write_text((census_slice / "adult.test").read_text())
    tracker = Tracker(f"sqlite:///{tmp_path}/mlflow.db")
    first = etl(spark, WORDS, str(census_slice), str(tmp_path / "first"))
    alone = etl(spark, WORDS, str(tmp_path / "day"), str(tmp_path / "alone"))
    second = tracked_etl(
        spark, WORDS, str(tmp_path / "day"), str(tmp_path / "second"), tracker, statistics_of=first.dataset
    )
    versions = {
        name: open_version(made.dataset) for name, made in (("first", first), ("alone", alone), ("second", second))
    }
    assert equal_meaning(versions["second"].features, versions["first"].features)
    assert not equal_meaning(versions["alone"].features, versions["first"].features)
    assert versions["second"].manifest["statistics_of"] == first.dataset
    before, after, own = (rows_of(made.dataset, WORDS) for made in (first, second, alone))
    assert set(after) == set(own) < set(before)
    assert all(before[key] == number for key, number in after.items())
    assert own != after
    words = Path(first.dataset, "vocabularies", "occupation.txt").read_bytes()
    assert Path(second.dataset, "vocabularies", "occupation.txt").read_bytes() == words
    assert Path(alone.dataset, "vocabularies", "occupation.txt").read_bytes() != words
    (run,) = MlflowClient(tracker.uri).search_runs(["1"])
    assert run.data.tags["emberline.statistics_of"] == first.dataset
    other = replace(WORDS, model=linear.Config((Vocabulary("occupation"), Numeric("hours_per_week"))))
    with pytest.raises(BadInputError, match=r"columns that recipe 'census_linear' asks for: it has no hours_per_week"):
        tracked_etl(spark, other, str(tmp_path / "day"), str(tmp_path / "x"), tracker, statistics_of=first.dataset)


SETTINGS = {"training.mode": "local", "training.epochs": "12", "gate.limit": "0.1", "training.global_batch": "30"}


@dataclass(frozen=True)
class Champion:
    """A registered model of the flowers.

    Args:
        folder: Of all files.
        tracker: The store.
        raw: URI of the flowers.
        training: URI of its training.
        metrics: Of its last epoch.
    """

    folder: Path
    tracker: Tracker
    raw: str
    training: str
    metrics: dict[str, float]


MODEL = "models:/emberline-iris_dnn@champion"


@pytest.fixture(scope="module")
def champion(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Champion:
    folder = tmp_path_factory.mktemp("champion")
    tracker, raw = Tracker(f"sqlite:///{folder}/mlflow.db"), f"{folder}/raw"
    write_split(raw, split())
    recipe, training = load_recipe("iris_dnn", SETTINGS), f"{folder}/training"
    prepared = tracked_etl(spark, recipe, raw, f"{folder}/dataset", tracker)
    trained = train(spark, recipe, prepared.dataset, training, tracker)
    evaluate(spark, recipe, training, tracker)
    register(spark, recipe, training, tracker)
    return Champion(folder, tracker, raw, training, trained.metrics)


@pytest.mark.slow
def test_a_champion_is_trained_further(spark: SparkSession, champion: Champion) -> None:
    """Other flowers to train on, the same held out: what is told before the first step is the champion's metric."""
    train_x, test_x, train_y, test_y = split()
    write_split(f"{champion.folder}/day", (train_x[:90], test_x, train_y[:90], test_y))
    settings = SETTINGS | {"training.epochs": "1", "training.optimizers.0.learning_rate": "1e-9"}
    recipe, tracker = load_recipe("iris_dnn", settings), champion.tracker
    own = etl(spark, recipe, f"{champion.folder}/day", f"{champion.folder}/own")
    with pytest.raises(BadInputError, match=r"knows other statistics than the dataset version .*--statistics-of"):
        train(spark, recipe, own.dataset, f"{champion.folder}/no", tracker, warm_start=MODEL)
    made = tracked_etl(
        spark, recipe, f"{champion.folder}/day", f"{champion.folder}/daily", tracker, statistics_of=MODEL
    )
    assert made.records["train"] == 90
    output = f"{champion.folder}/further"
    result = train(spark, recipe, made.dataset, output, tracker, warm_start=MODEL)
    assert result.warm_start == "models:/emberline-iris_dnn/1"
    state = json.loads(Path(output, "training.json").read_text())
    assert state["warm_start"]["model"] == "models:/emberline-iris_dnn/1"
    run = MlflowClient(tracker.uri).get_run(result.run_id).data
    assert run.params["warm_start"] == run.tags["emberline.warm_start.model"] == "models:/emberline-iris_dnn/1"
    for name, value in champion.metrics.items():
        if name.startswith("eval_"):
            assert run.metrics[f"warm_start/{name}"] == pytest.approx(value, abs=1e-6)
            assert result.metrics[name] == pytest.approx(value, abs=1e-4), "a step of 1e-9 changes nothing"
    wider = settings | {"model.hidden_units": "(7,7)"}
    other, place = load_recipe("iris_dnn", wider), f"{champion.folder}/wider"
    with pytest.raises(BadInputError, match=r"deep_0/kernel is \[4, 10\] in the model and \[4, 7\] in the network"):
        train(spark, other, made.dataset, place, tracker, warm_start=champion.training)


@pytest.mark.slow
def test_drift_is_measured_against_the_model(
    spark: SparkSession, champion: Champion, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe, tracker = load_recipe("iris_dnn"), champion.tracker
    same = measure_drift(spark, recipe, MODEL, f"{champion.raw}/iris_training.csv", tracker)
    assert (same.drifted, same.rows, same.rows_rejected) == (False, 120, 0)
    assert {one.field for one in same.fields} == {"sepal_length", "sepal_width", "petal_length", "petal_width"}
    assert max(one.distance for one in same.fields) < 0.01
    train_x, test_x, train_y, test_y = split()
    train_x[:, 2] += 3.0
    write_split(f"{champion.folder}/moved", (train_x, test_x, train_y, test_y))
    moved = measure_drift(spark, recipe, MODEL, f"{champion.folder}/moved/iris_training.csv", tracker)
    assert (moved.drifted, moved.drifted_fields) == (True, ("petal_length",))
    assert "DRIFT  petal_length" in capsys.readouterr().err
    runs = MlflowClient(tracker.uri).search_runs(["1"], "tags.`emberline.step` = 'drift'", order_by=["start_time"])
    assert [run.data.metrics["drifted_fields"] for run in runs] == [0, 1]
    storage.write_text_atomic(f"{champion.folder}/none.csv", "120,4,setosa,versicolor,virginica\nx,x,x,x,0\n")
    with pytest.raises(BadInputError, match=r"No row of .* is good"):
        measure_drift(spark, recipe, MODEL, f"{champion.folder}/none.csv", tracker)


@pytest.fixture
def changed(champion: Champion) -> Iterator[None]:
    """One bit of the champion's registered weights is another, for the test."""
    (file,) = champion.folder.glob("mlartifacts/**/saved_model/variables/variables.data-*")
    before = file.read_bytes()
    flipped = bytearray(before)
    flipped[len(flipped) // 2] ^= 1
    file.write_bytes(flipped)
    yield
    file.write_bytes(before)


@pytest.mark.slow
@pytest.mark.usefixtures("changed")
def test_a_changed_model_neither_scores_nor_starts_a_training(spark: SparkSession, champion: Champion) -> None:
    recipe, tracker = load_recipe("iris_dnn", SETTINGS), champion.tracker
    refused = r"The files of .*emberline-iris_dnn.* are not those that were exported"
    with pytest.raises(ModelChangedError, match=refused):
        score(spark, recipe, MODEL, champion.raw, f"{champion.folder}/predictions", tracker)
    with pytest.raises(ModelChangedError, match=refused):
        train(spark, recipe, f"{champion.folder}/dataset", f"{champion.folder}/no", tracker, warm_start=MODEL)
    with pytest.raises(ModelChangedError, match=refused), open_reused_statistics(tracker, MODEL, recipe):
        pass
    assert np.all([not Path(champion.folder, name).exists() for name in ("predictions", "no")])
