"""A dataset version to a trained model, on one executor per worker; a re-run resumes.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/train.py \\
        --pipeline census_wide_deep --dataset hdfs:///datasets/census/v1 --output hdfs:///trainings/census/v1
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("train", __doc__)
    parser.add_argument("--dataset", required=True, type=arguments.location, metavar="URI", help="dataset version")
    parser.add_argument("--output", required=True, type=arguments.location, metavar="URI", help="the training's folder")
    parser.add_argument(
        "--warm-start",
        type=arguments.location,
        metavar="URI",
        help="model (models:/NAME@alias, runs:/ID/model) or finished training whose weights it starts from",
    )
    arguments.add_overwrite(parser, "a training")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.console.recipe_job import RecipeJob, run_recipe_job

    given = parser().parse_args(argv)

    def step(job: RecipeJob) -> object:
        from emberline.pipelines.train import train

        return train(
            job.spark,
            job.recipe,
            given.dataset,
            given.output,
            job.tracker,
            overwrite=given.overwrite,
            warm_start=given.warm_start or "",
        )

    return run_recipe_job("train", given, step)


if __name__ == "__main__":
    sys.exit(main())
