"""Trains a policy for a Gymnasium environment: executors play episodes, a learner on one of them learns.

emberline play --environment CartPole-v1 --algorithm dqn --target-return 475 --output hdfs:///policies/cartpole
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.reinforcement.assignment import ALGORITHMS
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="play", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--environment", required=True, metavar="NAME", help="with vectors to see and numbered actions")
    add("--algorithm", choices=ALGORITHMS, default="dqn", help="which learner (default: %(default)s)")
    add("--target-return", required=True, type=float, metavar="N", help="mean return at which the task is solved")
    add("--output", required=True, type=arguments.location, metavar="URI", help="folder that takes the policy")
    add("--rounds", type=int, default=150, metavar="N", help="of playing and learning, at most (default: %(default)s)")
    add("--per-round", type=int, default=0, metavar="N", help="episodes of a round (default: by algorithm)")
    add("--seed", type=int, default=1, metavar="N", help="for other draws")
    arguments.add_overwrite(parser, "a policy")
    arguments.add_master(parser)
    arguments.add_tracking(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.play import train_policy
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker

        tracker = Tracker(tracking_uri(given.tracking_uri))
        with session(f"play {given.environment}", given.master) as spark:
            return train_policy(
                spark, given.environment, given.algorithm, given.output, tracker, target_return=given.target_return,
                rounds=given.rounds, per_round=given.per_round, seed=given.seed, overwrite=given.overwrite,
            )  # fmt: skip

    return conclude("play", work)


if __name__ == "__main__":
    sys.exit(main())
