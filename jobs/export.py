"""A registered model for other servers: SavedModel, TensorFlow Serving's folder with warm-up, TensorFlow Lite.

emberline export --model models:/emberline-census_wide_deep@champion --dataset hdfs:///datasets/census/v1 \\
    --output hdfs:///serving/census
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="export", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model", required=True, metavar="URI", help="models:/NAME@alias, models:/NAME/VERSION or runs:/ID/model"
    )
    parser.add_argument("--output", required=True, type=arguments.location, metavar="URI", help="the folder to write")
    parser.add_argument(
        "--dataset",
        type=arguments.location,
        metavar="URI",
        help="dataset version that the model was trained on, to quantize and judge; without it no TensorFlow Lite",
    )
    arguments.add_overwrite(parser, "a folder")
    arguments.add_tracking(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.serving.export import export_model
        from emberline.pipelines.tracking import Tracker

        tracker = Tracker(tracking_uri(given.tracking_uri))
        return export_model(given.model, given.output, tracker, dataset=given.dataset, overwrite=given.overwrite)

    return conclude("export", work)


if __name__ == "__main__":
    sys.exit(main())
