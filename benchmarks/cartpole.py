"""CartPole by three algorithms: `python -m benchmarks.cartpole`.

What `emberline play` does: executors play, a learner on one of them learns, until a hundred episodes played to win last
475 steps in the mean; then a hundred others, which begin otherwise, say what was reached. That is Gymnasium's own
measure of a solved task.
"""

import sys
import tempfile
import time

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.play import train_policy
from emberline.pipelines.reinforcement.assignment import ALGORITHMS
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker

CART, TARGET_RETURN = "CartPole-v1", 475.0


def main() -> None:
    parser = sized_parser(__doc__, "one seed, five rounds")
    parser.add_argument("--algorithms", nargs="+", choices=ALGORITHMS, default=ALGORITHMS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--master", default="local[2]", metavar="URL")
    given = parser.parse_args()
    size: Size = given.size
    algorithms = size.of(given.algorithms, given.algorithms, given.algorithms[:1])
    found: dict[str, list[dict[str, float]]] = {algorithm: [] for algorithm in algorithms}
    with tempfile.TemporaryDirectory() as folder, session("benchmark cartpole", given.master) as spark:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        for algorithm, runs in found.items():
            for seed in range(1, size.of(given.seeds, 1, 1) + 1):
                began = time.perf_counter()
                reached = train_policy(
                    spark,
                    CART,
                    algorithm,
                    f"file://{folder}/{algorithm}-{seed}",
                    tracker,
                    target_return=TARGET_RETURN,
                    rounds=size.of(150, 5, 1),
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
    print_json("cartpole", ratios, size, runs=found)


if __name__ == "__main__":
    main()
