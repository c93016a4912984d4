"""A new repository with a recipe, a dataset, a network, a test, a DAG, and data to try them on.

emberline init ride_tips
cd ride_tips; make demo; make test
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="init", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", metavar="NAME", help="of the package, and of the folder that is made")
    parser.add_argument("--parent", default=".", metavar="FOLDER", help="where the folder is made; default: here")
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from pathlib import Path

        from emberline.pipelines.console.new_project import new_project

        made = new_project(given.name, Path(given.parent).resolve())
        print(f"{len(made.files)} files in {made.folder}. Next: make setup, make demo, make test", file=sys.stderr)
        return made

    return conclude("init", work)


if __name__ == "__main__":
    sys.exit(main())
