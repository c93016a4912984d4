"""The schema of new data, guessed and printed as the Python declaration that a dataset module starts from.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/infer_schema.py \\
        --input hdfs:///raw/clicks.parquet --label clicked --key id
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="infer-schema",
        description=__doc__,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_input(parser, "a table: Parquet, ORC, JSON, CSV or TSV, TFRecord")
    parser.add_argument("--label", required=True, metavar="NAME", help="the column to predict")
    parser.add_argument("--key", metavar="NAME", help="the column that identifies a row")
    parser.add_argument(
        "--recipe", default="", metavar="NAME", help="declare a data set and a recipe of this name, too"
    )
    parser.add_argument(
        "--output", type=arguments.location, metavar="FILE", help="new file for the code; default: stderr"
    )
    arguments.add_table_format(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
        from emberline.pipelines.infer_schema import infer
        from emberline.pipelines.runtime.session import session

        with session("infer-schema", given.master) as spark:
            form = TableFormat(given.input_format, given.options)
            return infer(
                spark, given.input, given.label, given.key, form=form, name=given.recipe, output=given.output or ""
            )

    return conclude("infer-schema", work)


if __name__ == "__main__":
    sys.exit(main())
