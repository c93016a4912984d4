"""Synchronous against asynchronous training on the same rows: `python -m benchmarks.sync_async [DATA] [--epochs N]`.

Trains `census_wide_deep` once in each mode with two workers on `local-cluster`, and prints after every epoch how long
it took, how many updates it had, and the loss and AUC of the held-out rows: the same curve against time and against
steps. Both modes process the same number of rows per update, so an epoch has equally many of them.

The asynchronous run has two further processes, the chief and the parameter server. On two cores they share the
processors with the workers, which a real cluster would not ask of them.
"""

import sys
import tempfile
import time
from typing import Any

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, data_of, sized_parser
from emberline.pipelines.cluster.gang import train_on_cluster
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.training.assignment import Assignment

RECIPE = "census_wide_deep"
MASTERS = {"sync": "local-cluster[2,1,1024]", "async": "local-cluster[4,1,1024]"}


def curve(mode: str, dataset: str, output: str, epochs: int) -> list[dict[str, float]]:
    """One training; per epoch the seconds since its first step began, and what was reached."""
    overrides = {"training.mode": mode, "training.epochs": str(epochs), "training.tensorboard": "False"}
    found: list[dict[str, float]] = []
    began = 0.0

    def hear(rank: int, event: dict[str, Any]) -> None:
        nonlocal began
        if rank == 0 and event["event"] == "start":
            began = time.monotonic()
        if rank == 0 and event["event"] == "epoch":
            reached = {key: event["metrics"][key] for key in ("loss", "eval_loss", "eval_auc")}
            found.append({"seconds": time.monotonic() - began, "steps": event["step"], **reached})

    with session(f"benchmark {mode}", MASTERS[mode]) as spark:
        recipe = load_recipe(RECIPE, overrides)
        assignment = Assignment(recipe=recipe, dataset=dataset, output=output, threads=1)
        train_on_cluster(spark, assignment, gang=Gang.of(recipe.training), on_event=hear)
    return found


def main() -> None:
    parser = sized_parser(__doc__, "two epochs")
    parser.add_argument("data", nargs="?", help="folder with adult.data and adult.test; default: synthetic rows")
    parser.add_argument("--epochs", type=int, default=6)
    given = parser.parse_args()
    size: Size = given.size
    epochs, recipe = size.of(given.epochs, 2, 1), load_recipe(RECIPE)
    with data_of("census", given.data) as source, tempfile.TemporaryDirectory() as folder:
        with session("benchmark data", "local[2]") as spark:
            etl(spark, recipe, source, f"{folder}/dataset")
        curves = {mode: curve(mode, f"{folder}/dataset", f"{folder}/{mode}", epochs) for mode in MASTERS}
    print(f"{'mode':<7}{'epoch':>6}{'seconds':>9}{'steps':>8}{'loss':>9}{'eval loss':>11}{'eval AUC':>10}")
    for mode, points in curves.items():
        for epoch, point in enumerate(points, 1):
            print(
                f"{mode:<7}{epoch:>6}{point['seconds']:>9.1f}{point['steps']:>8.0f}{point['loss']:>9.4f}"
                f"{point['eval_loss']:>11.4f}{point['eval_auc']:>10.4f}"
            )
    seconds = [[point["seconds"] for point in points] for points in curves.values()]
    # Of each epoch but the first, in which both trace.
    sync, other = ([b - a for a, b in zip([0.0, *one], one, strict=False)] for one in seconds)
    ratios = [a / b for a, b in zip(sync, other, strict=True)]
    print_json("sync_async", {"epoch_async_vs_sync": ratios[1:] or ratios}, size, curves=curves)


if __name__ == "__main__":
    sys.exit(main())
