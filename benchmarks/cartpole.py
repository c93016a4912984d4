"""CartPole by three algorithms: `python -m benchmarks.cartpole`.

What `emberline play` does: executors play, a learner on one of them learns, until a hundred episodes played to win last
475 steps in the mean; then a hundred others, which begin otherwise, say what was reached. That is Gymnasium's own
measure of a solved task.
"""

import argparse
import json
import sys
import tempfile
import time

from benchmarks.ratios import summary
from emberline.pipelines.play import train_policy
from emberline.pipelines.reinforcement.assignment import ALGORITHMS
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker

CART, TARGET_RETURN = "CartPole-v1", 475.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=ALGORITHMS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--master", default="local[2]", metavar="URL")
    parser.add_argument("--quick", action="store_true", help="one seed, five rounds")
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {algorithm: [] for algorithm in given.algorithms}
    with tempfile.TemporaryDirectory() as folder, session("benchmark cartpole", given.master) as spark:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        for algorithm, runs in found.items():
            for seed in range(1, 2 if given.quick else given.seeds + 1):
                began = time.perf_counter()
                reached = train_policy(
                    spark,
                    CART,
                    algorithm,
                    f"file://{folder}/{algorithm}-{seed}",
                    tracker,
                    target_return=TARGET_RETURN,
                    rounds=5 if given.quick else 150,
                    seed=seed,
                )
                runs.append(
                    {
                        "mean": reached.mean,
                        "episodes": reached.episodes,
                        "steps": reached.steps,
                        "seconds": time.perf_counter() - began,
                    }
                )
    print(f"{'':<20}{'mean of 100':>12}{'episodes':>10}{'steps':>10}{'seconds':>9}", file=sys.stderr)
    for algorithm, runs in found.items():
        for run in runs:
            print(
                f"{algorithm:<20}{run['mean']:>12.1f}{run['episodes']:>10,}{run['steps']:>10,}{run['seconds']:>9.0f}",
                file=sys.stderr,
            )
    ratios = {
        f"{algorithm}_vs_solved": [run["mean"] / TARGET_RETURN for run in runs] for algorithm, runs in found.items()
    }
    print(json.dumps({"benchmark": "cartpole", "ratios": summary(ratios), "runs": found}))


if __name__ == "__main__":
    main()
