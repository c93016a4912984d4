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
    from emberline.pipelines.console.recipe_job import RecipeJob, run_recipe_job

    given = parser().parse_args(argv)

    def step(job: RecipeJob) -> object:
        from emberline.pipelines.register import register

        return register(job.spark, job.recipe, given.training, job.tracker)

    return run_recipe_job("register", given, step)


if __name__ == "__main__":
    sys.exit(main())
