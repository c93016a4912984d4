"""The exported model of a training on the held-out split of its dataset version.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/evaluate.py \\
        --pipeline census_wide_deep --training hdfs:///trainings/census/v1
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("evaluate", __doc__)
    parser.add_argument("--training", required=True, type=arguments.location, metavar="URI", help="a finished training")
    arguments.add_overwrite(parser, "an evaluation")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from dataclasses import asdict

        from emberline.pipelines.evaluate import evaluate
        from emberline.pipelines.recipes import load_recipe
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker

        recipe = load_recipe(given.pipeline, given.overrides)
        tracker = Tracker(tracking_uri(given.tracking_uri))
        runs = tracker.pipeline_run(recipe, given.pipeline_run)
        with session(f"evaluate {recipe.name}", given.master) as spark, runs:
            found = asdict(evaluate(spark, recipe, given.training, tracker, overwrite=given.overwrite))
        del found["details"]  # hundreds of points of curves: they are in evaluation.json
        return found

    return conclude("evaluate", work, given.submission)


if __name__ == "__main__":
    sys.exit(main())
