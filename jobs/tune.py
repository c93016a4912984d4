"""A search for better hyper-parameters: many trainings of one recipe on one dataset version; a re-run goes on.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/tune.py \\
        --pipeline census_wide_deep --dataset hdfs:///datasets/census/v1 --output hdfs:///searches/census/v1 \\
        --space 'training.optimizers.0.learning_rate=1e-3..1 log' --trials 40 --parallel 8
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("tune", __doc__)
    parser.add_argument("--dataset", required=True, type=arguments.location, metavar="URI", help="dataset version")
    parser.add_argument("--output", required=True, type=arguments.location, metavar="URI", help="the search's folder")
    parser.add_argument(
        "--space", action="append", default=[], metavar="AXIS",
        help="what may change, instead of the recipe's own space: FIELD=LOW..HIGH, 'FIELD=LOW..HIGH log' or "
        "'FIELD=A|B|C'; may be repeated",
    )  # fmt: skip
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="trainings in all (default: %(default)s)")
    parser.add_argument(
        "--parallel", type=int, default=1, metavar="N",
        help="trainings at a time, each on one executor (default: 1, on as many as the recipe asks for)",
    )  # fmt: skip
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.recipe.search_space import parse_axis
        from emberline.pipelines.recipes import load_recipe
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker
        from emberline.pipelines.tune import tune

        recipe = load_recipe(given.pipeline, given.overrides)
        space = [parse_axis(text) for text in given.space]
        tracker = Tracker(tracking_uri(given.tracking_uri))
        runs = tracker.pipeline_run(recipe, given.pipeline_run)
        with session(f"tune {recipe.name}", given.master) as spark, runs:
            return tune(
                spark, recipe, given.dataset, given.output, tracker,
                space=space, trials=given.trials, parallel=given.parallel,
            )  # fmt: skip

    return conclude("tune", work, given.submission)


if __name__ == "__main__":
    sys.exit(main())
