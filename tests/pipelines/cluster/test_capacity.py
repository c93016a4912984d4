"""Clusters without room for a training are refused before it starts, with the arithmetic."""

from types import SimpleNamespace

import pytest

from emberline.pipelines.cluster import capacity
from emberline.pipelines.cluster.capacity import ClusterBusyError, ClusterSizeError, require_room
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.recipes import load_recipe


def ranks(**overrides: str) -> Gang:
    return Gang.of(load_recipe("iris_dnn", {f"training.{name}": value for name, value in overrides.items()}).training)


def session(master: str, **settings: str) -> SimpleNamespace:
    named = {f"spark.{name.replace('_', '.')}": value for name, value in settings.items()}
    return SimpleNamespace(conf={"spark.master": master} | named)


CLUSTER = "local-cluster[2,1,1024]"


@pytest.mark.parametrize(
    ("master", "settings", "overrides", "message"),
    [
        (
            CLUSTER, {}, {"workers": "3"},
            r"needs 3 slots \(one per worker\), and local-cluster\[2,1,1024\] has 2 executors of 2 cores together, "
            r"which with spark.task.cpus=1 is 2 slots. Use .*local-cluster\[3,1,2048\].*training.workers=2",
        ),
        (
            CLUSTER, {}, {"mode": "async"},
            r"needs 4 slots \(1 chief \+ 2 workers \+ 1 parameter server\), and .* is 2 slots",
        ),
        (
            CLUSTER, {}, {"input": "spark"},
            r"needs 3 slots \(one per worker, and one for the job that feeds them\), and .* is 2 slots. "
            r"Use .*local-cluster\[3,1,2048\].*training.input=tensorflow, --set training.workers=1",
        ),
        ("local-cluster[3,2,1024]", {"speculation": "true"}, {"input": "spark"}, r"set spark.speculation=false"),
        ("local-cluster[3,4,1024]", {"task_cpus": "4"}, {"workers": "4"}, r"3 executors of 12 cores .*=4 is 3 slots"),
        ("local-cluster[2,3,1024]", {"task_cpus": "2"}, {"workers": "3"}, r"2 executors of 6 cores .*=2 is 2 slots"),
        (
            "local-cluster[1,4,1024]", {}, {"launcher": "tensorflowonspark"},
            r"needs 2 executors \(one per worker; TensorFlowOnSpark wants one for each\), and .* has 1 executor of 4",
        ),
        (
            "local-cluster[2,4,1024]", {"task_resource_gpu_amount": "1", "executor_resource_gpu_amount": "1"},
            {"workers": "4"}, r"spark.task.resource.gpu.amount=1 is 2 slots",
        ),
        (
            CLUSTER, {}, {"gpus_per_worker": "2"},
            r"gpus_per_worker=2 for 2 processes \(one per worker\) is 4 GPUs, and Spark gives each task 0.*"
            r"--conf spark.executor.resource.gpu.amount=2 --conf spark.task.resource.gpu.amount=2",
        ),
        (
            CLUSTER, {"task_resource_gpu_amount": "1"}, {"gpus_per_worker": "2", "mode": "async"},
            r"is 8 GPUs, and Spark gives each task 1",
        ),
        (CLUSTER, {"task_resource_gpu_amount": "0.25"}, {}, r"gpu.amount=0.25: 4 tasks would share a GPU"),
        (CLUSTER, {"dynamicAllocation_enabled": "true"}, {}, r"set spark.dynamicAllocation.enabled=false"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    master: str, settings: dict[str, str], overrides: dict[str, str], message: str
) -> None:
    with pytest.raises(ClusterSizeError, match=message):
        require_room(session(master, **settings), ranks(**overrides))


@pytest.mark.parametrize(
    ("master", "settings", "overrides"),
    [
        (CLUSTER, {}, {}),
        ("local-cluster[1,2,1024]", {}, {}),
        ("local-cluster[4,1,1024]", {}, {"mode": "async"}),
        ("local-cluster[3,1,1024]", {}, {"input": "spark"}),
        (CLUSTER, {}, {"mode": "local", "workers": "40"}),
        (
            "local-cluster[1,4,1024]",
            {"task_resource_gpu_amount": "2", "executor_resource_gpu_amount": "4"},
            {"gpus_per_worker": "2"},
        ),
    ],
)
def test_what_fits_is_not(master: str, settings: dict[str, str], overrides: dict[str, str]) -> None:
    require_room(session(master, **settings), ranks(**overrides))


def test_a_session_that_shows_no_executors_is_left_to_spark() -> None:
    """As Spark Connect does: a barrier stage that does not fit is refused by Spark."""
    require_room(session("sc://somewhere"), ranks(workers="4"))


class Executors:
    """Those of a standalone cluster that others use: each look at it shows the next number, and the last for ever."""

    def __init__(self, *counts: int) -> None:
        self.counts, self.looks = list(counts), 0

    def executorList(self, active: bool) -> SimpleNamespace:
        count = self.counts[min(self.looks, len(self.counts) - 1)]
        self.looks += 1
        items = [SimpleNamespace(id=lambda: "driver", totalCores=lambda: 0)]
        items += [SimpleNamespace(id=lambda: "1", totalCores=lambda: 1)] * count
        return SimpleNamespace(size=lambda: len(items), apply=items.__getitem__)


def shared_cluster(executors: Executors) -> SimpleNamespace:
    found = session("spark://master:7077")
    scala = SimpleNamespace(statusStore=lambda: executors)
    found.sparkContext = SimpleNamespace(_jsc=SimpleNamespace(sc=lambda: scala))
    return found


def test_a_cluster_that_others_use_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "STANDALONE_SECONDS", 0)
    executors = Executors(0, 0, 0, 2)
    require_room(shared_cluster(executors), ranks(workers="2"))
    assert executors.looks == 4


def test_a_cluster_that_gives_nothing_may_give_something_later(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ClusterBusyError, match="gave no executor in 0 s"):
        require_room(shared_cluster(Executors(0)), ranks(workers="2"), first_within=0)
    # One executor is an answer, whatever the first was given: too small.
    monkeypatch.setattr(capacity, "STANDALONE_SECONDS", 0)
    with pytest.raises(ClusterSizeError, match=r"needs 2 slots .* has 1 executor of 1 cores"):
        require_room(shared_cluster(Executors(0, 1)), ranks(workers="2"))
