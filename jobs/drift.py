"""How far raw rows have moved from those that a model was trained on. Exit code 0, drifted or not.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/drift.py --pipeline census_wide_deep \\
        --model models:/emberline-census_wide_deep@champion --input hdfs:///raw/today
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("drift", __doc__)
    parser.add_argument(
        "--model", required=True, type=arguments.location, metavar="URI",
        help="models:/NAME@alias, models:/NAME/VERSION, runs:/ID/model or a training",
    )  # fmt: skip
    parser.add_argument("--input", required=True, type=arguments.location, metavar="URI", help="raw rows")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.drift import measure_drift
        from emberline.pipelines.recipes import load_recipe
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker

        recipe = load_recipe(given.pipeline, given.overrides)
        tracker = Tracker(tracking_uri(given.tracking_uri))
        runs = tracker.pipeline_run(recipe, given.pipeline_run)
        with session(f"drift {recipe.name}", given.master) as spark, runs:
            return measure_drift(spark, recipe, given.model, given.input, tracker)

    return conclude("drift", work, given.submission)


if __name__ == "__main__":
    sys.exit(main())
