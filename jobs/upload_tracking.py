"""Delivers to MLflow what a step could not, because the server did not answer; the step's output keeps it.

emberline upload-tracking hdfs:///trainings/census/v1
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="upload-tracking",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "folder", type=arguments.location, metavar="URI", help="a training's folder, or another step's output"
    )
    arguments.add_tracking(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.tracking import Tracker

        return Tracker(tracking_uri(given.tracking_uri)).upload(given.folder)

    return conclude("upload-tracking", work)


if __name__ == "__main__":
    sys.exit(main())
