"""The whole pipeline of a recipe, from raw files (or synthetic ones) to predictions.

emberline run census_wide_deep --input PATH --master 'local-cluster[2,1,2048]'
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="run", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pipeline", metavar="NAME", help="recipe to run; `emberline list` shows all")
    arguments.add_input(parser, "raw files; default: synthetic data", required=False)
    arguments.add_workspace(parser)
    arguments.add_table_format(parser)
    arguments.add_overrides(parser)
    arguments.add_tracking(parser)
    arguments.add_master(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.console.recipe_checks import require_sound
        from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
        from emberline.pipelines.recipes import load_recipe
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import require_java

        form = TableFormat(given.input_format, given.options)
        recipe = load_recipe(given.pipeline, given.overrides)
        require_sound(recipe)
        require_java()
        # What follows imports MLflow and Spark, which takes seconds: who made a mistake need not wait for them.
        from emberline.pipelines.console.run_summary import show
        from emberline.pipelines.run import run

        store = tracking_uri(given.tracking_uri, given.workspace)
        summary = run(recipe, given.workspace, store, source=given.input, form=form, master=given.master)
        show(summary)
        return summary

    return conclude("run", work)


if __name__ == "__main__":
    sys.exit(main())
