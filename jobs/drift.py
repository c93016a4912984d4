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
        "--model",
        required=True,
        type=arguments.location,
        metavar="URI",
        help="models:/NAME@alias, models:/NAME/VERSION, runs:/ID/model or a training",
    )
    arguments.add_input(parser, "raw rows")
    arguments.add_table_format(parser)
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.console.recipe_job import RecipeJob, run_recipe_job

    given = parser().parse_args(argv)

    def step(job: RecipeJob) -> object:
        from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
        from emberline.pipelines.drift import measure_drift

        form = TableFormat(given.input_format, given.options)
        return measure_drift(job.spark, job.recipe, given.model, given.input, job.tracker, form)

    return run_recipe_job("drift", given, step)


if __name__ == "__main__":
    sys.exit(main())
