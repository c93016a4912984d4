"""Raw files looked at as etl looks at them, and a report; no dataset version is made. Exit code 2: the data is bad.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/validate.py \\
        --pipeline census_wide_deep --input hdfs:///raw/census --output hdfs:///reports/census/today
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("validate", __doc__)
    arguments.add_input(parser, "raw files")
    parser.add_argument("--output", required=True, type=arguments.location, metavar="URI", help="folder of the report")
    parser.add_argument(
        "--previous", type=arguments.location, metavar="URI", help="dataset version to compare the data with"
    )
    arguments.add_table_format(parser)
    arguments.add_overwrite(parser, "a report")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.console.recipe_job import RecipeJob, run_recipe_job

    given = parser().parse_args(argv)

    def step(job: RecipeJob) -> object:
        from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
        from emberline.pipelines.validate import validate_data

        return validate_data(
            job.spark,
            job.recipe,
            given.input,
            given.output,
            job.tracker,
            overwrite=given.overwrite,
            previous=given.previous,
            form=TableFormat(given.input_format, given.options),
        )

    return run_recipe_job("validate", given, step)


if __name__ == "__main__":
    sys.exit(main())
