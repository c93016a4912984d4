"""An evaluated model becomes a registered version, and the champion if it passes the recipe's gate.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/register.py \\
        --pipeline census_wide_deep --training hdfs:///trainings/census/v1
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("register", __doc__)
    parser.add_argument("--training", required=True, type=arguments.location, metavar="URI", help="evaluated training")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.recipes import load_recipe
        from emberline.pipelines.register import register
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker

        recipe = load_recipe(given.pipeline, given.overrides)
        tracker = Tracker(tracking_uri(given.tracking_uri))
        runs = tracker.pipeline_run(recipe, given.pipeline_run)
        with session(f"register {recipe.name}", given.master) as spark, runs:
            return register(spark, recipe, given.training, tracker)

    return conclude("register", work, given.submission)


if __name__ == "__main__":
    sys.exit(main())
