"""Raw files to one dataset version: checked, analysed, transformed, in TFRecord shards.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/etl.py \\
        --pipeline census_wide_deep --input hdfs:///raw/census --output hdfs:///datasets/census/v1
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("etl", __doc__)
    parser.add_argument("--input", required=True, type=arguments.location, metavar="URI", help="raw files")
    parser.add_argument("--output", required=True, type=arguments.location, metavar="URI", help="new dataset version")
    parser.add_argument(
        "--previous", type=arguments.location, metavar="URI",
        help="dataset version to compare the data with; default: the one that --overwrite replaces",
    )  # fmt: skip
    parser.add_argument(
        "--statistics-of", type=arguments.location, metavar="URI",
        help="model (models:/NAME@alias, runs:/ID/model), training or dataset version whose vocabularies and moments "
        "are used instead of these rows' own, so that ids mean the same; for train --warm-start",
    )  # fmt: skip
    arguments.add_overwrite(parser, "a dataset version")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.etl import tracked_etl
        from emberline.pipelines.recipes import load_recipe
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker

        recipe = load_recipe(given.pipeline, given.overrides)
        tracker = Tracker(tracking_uri(given.tracking_uri))
        runs = tracker.pipeline_run(recipe, given.pipeline_run)
        with session(f"etl {recipe.name}", given.master) as spark, runs:
            return tracked_etl(
                spark, recipe, given.input, given.output, tracker,
                overwrite=given.overwrite, previous=given.previous, statistics_of=given.statistics_of or "",
            )  # fmt: skip

    return conclude("etl", work, given.submission)


if __name__ == "__main__":
    sys.exit(main())
