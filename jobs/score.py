"""Raw rows to predictions with a registered model; they appear all at once, or a whole partition at a time.

    spark-submit --master spark://HOST:7077 --py-files emberline.zip jobs/score.py --pipeline census_wide_deep \\
        --model models:/emberline-census_wide_deep@champion --input hdfs:///raw/today --output hdfs:///predictions/today

`--stream` scores the messages of a topic instead, as they come.
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = arguments.job_parser("score", __doc__)
    add = parser.add_argument
    add("--model", required=True, metavar="URI", help="models:/NAME@alias, models:/NAME/VERSION or runs:/ID/model")
    arguments.add_input(parser, "raw rows")
    add("--output", required=True, type=arguments.location, metavar="URI", help="predictions; of a stream kafka:TOPIC")
    add("--layout", default="parquet", help="of the predictions: parquet, tfrecord or delta")
    add("--output-table", default="", metavar="NAME", help="table of the session's catalogs for the predictions, too")
    add("--partition-by", metavar="COLUMN", help="divide predictions by it; those of values that come are replaced")
    add("--keys", type=lambda text: tuple(text.split(",")), default=(), help="columns that stay; default: the key")
    add("--batch-rows", type=int, metavar="N", help="rows that the model takes at a time; default: by their width")
    arguments.add_table_format(parser)
    arguments.add_overwrite(parser, "predictions")
    arguments.add_stream(parser)
    arguments.add_pipeline_run(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.console.recipe_job import run_recipe_job
    from emberline.pipelines.console.score_stream import score_given

    given = parser().parse_args(argv)
    return run_recipe_job("score", given, lambda job: score_given(job, given))


if __name__ == "__main__":
    sys.exit(main())
