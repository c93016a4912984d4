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
    from emberline.pipelines.console.recipe_job import RecipeJob, run_recipe_job

    given = parser().parse_args(argv)

    def step(job: RecipeJob) -> object:
        from dataclasses import asdict

        from emberline.pipelines.evaluate import evaluate

        found = asdict(evaluate(job.spark, job.recipe, given.training, job.tracker, overwrite=given.overwrite))
        del found["details"]  # hundreds of points of curves: they are in evaluation.json
        return found

    return run_recipe_job("evaluate", given, step)


if __name__ == "__main__":
    sys.exit(main())
