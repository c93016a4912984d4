"""From submit to the first step of two workers: our cluster training against plain `TFCluster.run`, and where it goes.

`python -m benchmarks.startup [--quick]`. Every turn has a Spark application of its own on `local-cluster[2,1,1024]`, so
that no Python worker of an earlier one is warm; the clock starts when the application is there. Both sides build the
iris network under MultiWorkerMirroredStrategy, read their first batch from the same shards, and do one step. Theirs is
the main function of TensorFlowOnSpark's guide: TensorFlow runs in the executor's Python worker, unwatched.
"""

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from benchmarks.ratios import Comparison, print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.cluster.gang import train_on_cluster
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.training.assignment import Assignment

ROOT = Path(__file__).parents[1]
MASTER = "local-cluster[2,1,1024]"
OVERRIDES = {
    "training.epochs": "1",
    "training.steps_per_call": "1",
    "training.global_batch": "240",
    "training.max_restarts": "0",
}

Timeline = dict[str, float]
"""Seconds after submit by event, of the slower worker."""


def main() -> None:
    """Print the timelines and one JSON line."""
    parser = sized_parser(__doc__, "two turns instead of five")
    size: Size = parser.parse_args().size
    turns = size.of(5, 2, 1)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    with tempfile.TemporaryDirectory() as folder:
        load_dataset("iris").generate(f"{folder}/raw", seed=1)
        with session("benchmark startup", "local[2]") as spark:
            etl(spark, load_recipe("iris_dnn"), f"{folder}/raw", f"{folder}/dataset")
        found: dict[str, list[Timeline]] = {"ours": [], "theirs": []}
        for turn in range(turns):
            for side, start in (("ours", ours), ("theirs", theirs)):
                with session("benchmark startup", MASTER) as spark:
                    found[side].append(start(spark, folder, f"{side}-{turn}"))
    for side, title in (("ours", "emberline train"), ("theirs", "TFCluster.run")):
        print_timeline(title, found[side])
    speeds = Comparison("starts/s", *([1 / run["first step"] for run in found[side]] for side in ("ours", "theirs")))
    print_json("startup", {"startup_vs_tfcluster": speeds.ratios}, size)


def print_timeline(title: str, runs: list[Timeline]) -> None:
    """Medians: when each event was over, and what it took since the one before."""
    print(f"{title:<44}{'at, s':>8}{'took, s':>9}")
    before = 0.0
    for event in runs[0]:
        at = statistics.median(run[event] for run in runs)
        print(f"  {event:<42}{at:>8.1f}{at - before:>9.1f}")
        before = at


def ours(spark: SparkSession, folder: str, name: str) -> Timeline:
    """One training, timed by the events that its workers send."""
    recipe = load_recipe("iris_dnn", OVERRIDES)
    seen: Timeline = {}
    steps = {
        "ready": "workers started, TensorFlow imported",
        "start": "strategy and network built",
        "progress": "first step",
    }

    def hear(rank: int, event: dict[str, Any]) -> None:
        if event["event"] in steps and (event["event"] != "progress" or event["step"] == 1):
            seen[steps[event["event"]]] = time.monotonic() - began

    assignment = Assignment(recipe=recipe, dataset=f"{folder}/dataset", output=f"{folder}/{name}", threads=1)
    began = time.monotonic()
    train_on_cluster(spark, assignment, gang=Gang.of(recipe.training), on_event=hear)
    return seen


def theirs(spark: SparkSession, folder: str, name: str) -> Timeline:
    """The same by TensorFlowOnSpark alone; its nodes leave the times in files."""
    from tensorflowonspark import TFCluster

    times = f"{folder}/{name}"
    os.makedirs(times)
    began = time.time()
    cluster = TFCluster.run(
        spark.sparkContext,
        _node,
        {"dataset": f"{folder}/dataset", "times": times},
        num_executors=2,
        num_ps=0,
        input_mode=TFCluster.InputMode.TENSORFLOW,
        master_node="chief",
    )
    cluster.shutdown()
    nodes = [json.loads(path.read_text()) for path in Path(times).iterdir()]
    return {event: max(node[event] for node in nodes) - began for event in nodes[0]}


def _node(told: dict[str, str], context: Any) -> None:
    """What a node does; runs in an executor's Python worker."""
    seen = {"nodes reserved, main function entered": time.time()}
    import tensorflow as tf

    from emberline.features.columns import stored
    from emberline.features.dataset_version import open_version
    from emberline.pipelines.training.checkpoint.position import Position
    from emberline.pipelines.training.input.batches import ShardBatches
    from emberline.pipelines.training.step.training_step import TrainingStep

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    seen["TensorFlow imported"] = time.time()
    recipe, version = load_recipe("iris_dnn", OVERRIDES), open_version(told["dataset"])
    rank = 0 if context.job_name == "chief" else context.task_index + 1
    context.release_port()
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    names = [column.name for column in stored(recipe.model.columns)]
    rows = ShardBatches(version, names, global_batch=240, worker=rank, workers=2, seed=1)
    with strategy.scope():
        step = TrainingStep(recipe, version, rows.steps_per_epoch)
    seen["strategy and network built"] = time.time()
    batches = iter(rows.training(Position()))
    tf.function(lambda: strategy.run(step.replica_step, args=next(batches)))()
    seen["first step"] = time.time()
    Path(told["times"], str(rank)).write_text(json.dumps(seen))


if __name__ == "__main__":
    main()
