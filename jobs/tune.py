"""A search for better hyper-parameters: many trainings of one recipe on one dataset version; a re-run goes on.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/tune.py \\
        --pipeline census_wide_deep --dataset hdfs:///datasets/census/v1 --output hdfs:///searches/census/v1 \\
        --space 'training.optimizers.0.learning_rate=1e-3..1 log' --trials 40 --parallel 8
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("tune", __doc__)
    parser.add_argument("--dataset", required=True, type=arguments.location, metavar="URI", help="dataset version")
    parser.add_argument("--output", required=True, type=arguments.location, metavar="URI", help="the search's folder")
    parser.add_argument(
        "--space",
        action="append",
        default=[],
        metavar="AXIS",
        help="what may change, instead of the recipe's own space: FIELD=LOW..HIGH, 'FIELD=LOW..HIGH log' or "
        "'FIELD=A|B|C'; may be repeated",
    )
    parser.add_argument("--trials", type=int, default=20, metavar="N", help="trainings in all (default: %(default)s)")
    parser.add_argument(
        "--parallel", type=int, default=1, metavar="N",
        help="trainings at a time, each on one executor (default: 1, on as many as the recipe asks for)",
    )  # fmt: skip
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.console.recipe_job import RecipeJob, run_recipe_job

    given = parser().parse_args(argv)

    def step(job: RecipeJob) -> object:
        from emberline.pipelines.recipe.search_space import parse_axis
        from emberline.pipelines.tune import tune

        return tune(
            job.spark,
            job.recipe,
            given.dataset,
            given.output,
            job.tracker,
            space=[parse_axis(text) for text in given.space],
            trials=given.trials,
            parallel=given.parallel,
        )

    return run_recipe_job("tune", given, step)


if __name__ == "__main__":
    sys.exit(main())
