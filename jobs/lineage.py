"""Where something came from and what became of it: raw data, dataset version, model version, predictions.

emberline lineage models:/emberline-census_wide_deep@champion
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="lineage", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "what",
        metavar="WHAT",
        help="models:/NAME/VERSION or models:/NAME@ALIAS, a run's id, the digest or URI of a dataset version, or the "
        "URI of raw data or predictions, as the steps were given it",
    )
    arguments.add_tracking(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.tracking import Tracker, trace

        found = trace(Tracker(tracking_uri(given.tracking_uri)), given.what)
        for link in found.links:
            print(f"{link.step:<9} {link.read}  ->  {link.made}  [{link.status}, run {link.run_id}]", file=sys.stderr)
        return found

    return conclude("lineage", work)


if __name__ == "__main__":
    sys.exit(main())
