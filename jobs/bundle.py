"""The code for executors as archives: emberline's own, and one for each project of the present folder or installed.

    emberline bundle --output dist
    spark-submit --master spark://HOST:7077 --py-files dist/emberline.zip,dist/myproject.zip dist/jobs/train.py …

The output folder also gets `jobs/`, the files that spark-submit starts: it is what Airflow's `emberline_code` names.
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bundle", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "packages", nargs="*", metavar="PACKAGE", help="project or package to pack; default: all projects known here"
    )
    parser.add_argument("--output", default="dist", metavar="FOLDER", help="folder of the archives; default: dist")
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.runtime.code_archive import release

        released = release(given.output, given.packages)
        print(f"--py-files {released.py_files}", file=sys.stderr)
        return released

    return conclude("bundle", work)


if __name__ == "__main__":
    sys.exit(main())
