"""CartPole by three algorithms: `python -m benchmarks.cartpole`.

Executors play, a learner beside the driver learns, until a hundred episodes played to win last 475 steps in the mean;
then a hundred others, which begin otherwise, say what was reached. That is Gymnasium's own measure of a solved task.
"""

import argparse
import json
import statistics
import sys
import time
from functools import partial

from benchmarks.ratios import summary
from pipelines.reinforcement.actor_critic import ActorCritic
from pipelines.reinforcement.dqn import DeepQ
from pipelines.reinforcement.learner import EXAM_SEED, Learner, master
from pipelines.reinforcement.policy_gradient import PolicyGradient
from pipelines.reinforcement.rollouts import rollouts
from pipelines.session import session

CART, SIZE, ACTIONS, ENOUGH, EXAM = "CartPole-v1", 4, 2, 475.0, 100
PER_ROUND = {"policy_gradient": 16, "actor_critic": 16, "dqn": 8}


def learner_of(algorithm: str, seed: int) -> Learner:
    """The algorithm at its first weights."""
    kinds = {"policy_gradient": PolicyGradient, "actor_critic": ActorCritic, "dqn": DeepQ}
    learner: Learner = kinds[algorithm](SIZE, ACTIONS, seed=seed)
    return learner


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", nargs="+", choices=sorted(PER_ROUND), default=list(PER_ROUND))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--master", default="local[2]", metavar="URL")
    parser.add_argument("--quick", action="store_true", help="one seed, five rounds")
    given = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    with session("benchmark cartpole", given.master) as spark:
        play = partial(rollouts, spark, CART)
        for algorithm in given.algorithms:
            found[algorithm] = []
            for seed in range(1, 2 if given.quick else given.seeds + 1):
                began, learner = time.perf_counter(), learner_of(algorithm, seed)
                rounds = 5 if given.quick else 150
                reached = master(
                    learner, play, enough=ENOUGH, rounds=rounds, per_round=PER_ROUND[algorithm], exam=EXAM, seed=seed,
                    say=lambda line: print(line, file=sys.stderr),
                )  # fmt: skip
                seconds = time.perf_counter() - began
                others = play(learner.best, EXAM, EXAM_SEED + 10 * EXAM)
                mean = statistics.mean(one.total for one in others)
                run = {"mean": mean, "episodes": reached.episodes, "steps": reached.steps, "seconds": seconds}
                found[algorithm].append(run)
    print(f"{'':<20}{'mean of 100':>12}{'episodes':>10}{'steps':>10}{'seconds':>9}", file=sys.stderr)
    for algorithm, runs in found.items():
        for run in runs:
            print(
                f"{algorithm:<20}{run['mean']:>12.1f}{run['episodes']:>10,}{run['steps']:>10,}{run['seconds']:>9.0f}",
                file=sys.stderr,
            )
    ratios = {f"{algorithm}_vs_solved": [run["mean"] / ENOUGH for run in runs] for algorithm, runs in found.items()}
    print(json.dumps({"benchmark": "cartpole", "ratios": summary(ratios), "runs": found}))


if __name__ == "__main__":
    main()
