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
        "--warm-start", type=arguments.location, metavar="URI",
        help="model (models:/NAME@alias, runs:/ID/model) or finished training whose weights it starts from",
    )  # fmt: skip
    arguments.add_overwrite(parser, "a training")
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.recipes import load_recipe
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker
        from emberline.pipelines.train import train

        recipe = load_recipe(given.pipeline, given.overrides)
        tracker = Tracker(tracking_uri(given.tracking_uri))
        runs = tracker.pipeline_run(recipe, given.pipeline_run)
        with session(f"train {recipe.name}", given.master) as spark, runs:
            return train(
                spark, recipe, given.dataset, given.output, tracker,
                overwrite=given.overwrite, warm_start=given.warm_start or "",
            )  # fmt: skip

    return conclude("train", work, given.submission)


if __name__ == "__main__":
    sys.exit(main())
