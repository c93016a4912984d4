"""The `emberline` command: every job as a sub-command, and three that only look.

emberline list | show NAME | doctor | infer-schema | run NAME | validate | etl | train | tune | evaluate
emberline compare RUN … | register | score | drift | export | lineage WHAT | rollback NAME | upload-tracking URI
emberline init NAME | bundle | --version
emberline neighbours | generate | learn-words | play | launch FILE
"""

import importlib
import sys

JOBS = (
    "infer-schema", "run", "validate", "etl", "train", "tune", "evaluate", "compare", "register", "score", "drift",
    "export", "lineage", "rollback", "upload-tracking", "neighbours", "generate", "learn-words", "play",
    "init", "bundle", "launch",
)  # fmt: skip
VIEWS = ("list", "show", "doctor")


def main(argv: list[str] | None = None) -> int:
    """Dispatches to a sub-command; returns its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    command = arguments[0] if arguments else "--help"
    if command in JOBS:
        code: int = importlib.import_module(f"emberline.jobs.{command.replace('-', '_')}").main(arguments[1:])
        return code
    if command in VIEWS:
        from emberline.pipelines.console import views
        from emberline.pipelines.runtime.outcome import conclude

        return conclude(command, lambda: getattr(views, f"{command}_view")(arguments[1:]))
    if command == "--version":
        from emberline.pipelines.runtime.version import code_version

        print(f"emberline {code_version()}")
        return 0
    if command in ("-h", "--help"):
        print(__doc__.strip(), file=sys.stderr)
        print("\nemberline COMMAND --help tells more.", file=sys.stderr)
        return 0
    from emberline.features.errors import nearest

    print(f"emberline: unknown command {command!r}. {nearest(command, JOBS + VIEWS)}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
