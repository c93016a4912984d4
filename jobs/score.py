"""Raw rows to predictions with a registered model, as Parquet that appears all at once.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/score.py --pipeline census_wide_deep \\
        --model models:/emberline-census_wide_deep@champion --input hdfs:///raw/today --output hdfs:///predictions/today
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from pipelines import arguments

    parser = arguments.job_parser("score", __doc__)
    parser.add_argument("--model", required=True, metavar="URI", help="models:/NAME@alias or models:/NAME/VERSION")
    parser.add_argument("--input", required=True, type=arguments.location, metavar="URI", help="raw rows")
    parser.add_argument("--output", required=True, type=arguments.location, metavar="URI", help="predictions")
    arguments.add_overwrite(parser, "predictions")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from pipelines.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from pipelines.arguments import tracking_uri
        from pipelines.recipe import load_recipe
        from pipelines.score import score
        from pipelines.session import session
        from pipelines.tracking import Tracker

        recipe = load_recipe(given.pipeline, given.overrides)
        tracker = Tracker(tracking_uri(given.tracking_uri))
        runs = tracker.pipeline_run(recipe, given.pipeline_run)
        with session(f"score {recipe.name}", given.master) as spark, runs:
            return score(spark, recipe, given.model, given.input, given.output, tracker, overwrite=given.overwrite)

    return conclude("score", work)


if __name__ == "__main__":
    sys.exit(main())
