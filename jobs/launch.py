"""A custom TensorFlow program on executors: TF_CONFIG, shares of data, restarts, and one MLflow run.

emberline launch main.py --workers 2 --parameter-servers 1 --output runs/mine -- --batch-size 64
"""

import argparse
import sys


def parser() -> argparse.ArgumentParser:
    from emberline.pipelines.runtime import arguments

    parser = argparse.ArgumentParser(
        prog="launch", description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("program", metavar="FILE", help="Python file that every rank runs as __main__")
    add("arguments", nargs="*", metavar="ARG", help="the program's own arguments, behind --")
    add("--workers", type=int, default=2, metavar="N", help="ranks that train (default: %(default)s)")
    add("--parameter-servers", type=int, default=0, metavar="N", help="ranks that hold variables, beside a chief")
    add("--output", required=True, type=arguments.location, metavar="URI", help="folder of what it makes")
    add("--dataset", type=arguments.location, metavar="URI", help="dataset version, for em.current_context().batches")
    add("--max-restarts", type=int, default=2, metavar="N", help="of all ranks (default: %(default)s)")
    arguments.add_master(parser)
    arguments.add_tracking(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    from emberline.pipelines.runtime.outcome import conclude

    given = parser().parse_args(argv)

    def work() -> object:
        from emberline.pipelines.launch import launch, read_script
        from emberline.pipelines.runtime.arguments import tracking_uri
        from emberline.pipelines.runtime.session import session
        from emberline.pipelines.tracking import Tracker

        script, tracker = read_script(given.program, given.arguments), Tracker(tracking_uri(given.tracking_uri))
        with session(f"launch {script.name}", given.master) as spark:
            return launch(
                spark,
                script,
                given.output,
                tracker,
                name=script.name,
                workers=given.workers,
                parameter_servers=given.parameter_servers,
                dataset=given.dataset or "",
                max_restarts=given.max_restarts,
            )

    return conclude("launch", work)


if __name__ == "__main__":
    sys.exit(main())
