"""The champion before the present one becomes champion again.

emberline rollback emberline-census_wide_deep
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="rollback", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="registered model, such as emberline-census_wide_deep")
    arguments.add_tracking(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.rollback import rollback
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.tracking import Tracker

        return rollback(given.name, Tracker(tracking_uri(given.tracking_uri)))

    return conclude("rollback", work)


if __name__ == "__main__":
    sys.exit(main())
