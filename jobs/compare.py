"""Evaluated trainings side by side: their metrics, and the settings that differ.

emberline compare RUN RUN … --output comparison.html
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="compare", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="RUN", help="id of an MLflow run, or URI of a training")
    parser.add_argument("--output", type=arguments.location, metavar="FILE", help="page to write; replaced if there")
    arguments.add_tracking(parser)
    arguments.add_submission(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.compare import compare
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.tracking import Tracker

        return compare(given.runs, Tracker(tracking_uri(given.tracking_uri)), given.output)

    return conclude("compare", work, given.submission)


if __name__ == "__main__":
    sys.exit(main())
