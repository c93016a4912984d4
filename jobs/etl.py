"""Raw files to one dataset version: checked, analysed, transformed, in TFRecord shards.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/etl.py \\
        --pipeline census_wide_deep --input hdfs:///raw/census --output hdfs:///datasets/census/v1
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("etl", __doc__)
    arguments.add_input(parser, "raw files")
    parser.add_argument("--output", required=True, type=arguments.location, metavar="URI", help="new dataset version")
    parser.add_argument(
        "--previous",
        type=arguments.location,
        metavar="URI",
        help="dataset version to compare the data with; default: the one that --overwrite replaces",
    )
    parser.add_argument(
        "--statistics-of", type=arguments.location, metavar="URI",
        help="model (models:/NAME@alias, runs:/ID/model), training or dataset version whose vocabularies and moments "
        "are used instead of these rows' own, so that ids mean the same; for train --warm-start",
    )  # fmt: skip
    arguments.add_table_format(parser)
    arguments.add_overwrite(parser, "a dataset version")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.console.recipe_job import RecipeJob, run_recipe_job

    given = parser().parse_args(argv)

    def step(job: RecipeJob) -> object:
        from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
        from emberline.pipelines.etl import tracked_etl

        return tracked_etl(
            job.spark,
            job.recipe,
            given.input,
            given.output,
            job.tracker,
            overwrite=given.overwrite,
            previous=given.previous,
            statistics_of=given.statistics_of or "",
            form=TableFormat(given.input_format, given.options),
        )

    return run_recipe_job("etl", given, step)


if __name__ == "__main__":
    sys.exit(main())
