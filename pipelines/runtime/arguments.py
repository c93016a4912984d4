"""Command-line arguments that several jobs share, parsed into their types at the edge. Imports nothing heavy."""

import argparse
import os
import urllib.parse
from pathlib import Path

from emberline.pipelines.runtime.secrets_in_uris import ADVICE, holds_secret, login_of
from emberline.pipelines.runtime.table_address import DELTA, TABLE

WORKSPACE = "emberline-workspace"


def job_parser(name: str, description: str) -> argparse.ArgumentParser:
    """Returns a parser with what every job takes: which recipe, and with which fields replaced."""
    parser = argparse.ArgumentParser(
        prog=name, description=description, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--pipeline", required=True, metavar="NAME", help="recipe to work on; `emberline list` shows all"
    )
    add_overrides(parser)
    return parser


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Adds `--set field=value`, as often as wanted."""
    parser.add_argument(
        "--set",
        dest="overrides",
        action=_Override,
        default={},
        metavar="FIELD=VALUE",
        help="replace a field of the recipe, such as training.epochs=3; may be repeated",
    )


def add_table_format(parser: argparse.ArgumentParser) -> None:
    """Adds `--input-format` and `--option`: how the files of `--input` are written, where nothing else says it."""
    parser.add_argument(
        "--input-format",
        default="",
        metavar="FORMAT",
        help="parquet, orc, csv, json or tfrecord; default: what the files' names, or their data set, say",
    )
    parser.add_argument(
        "--option",
        dest="options",
        action=_Option,
        default={},
        metavar="NAME=VALUE",
        help="of CSV files: sep, quote, decimal, thousands, encoding, header, names, comment, skip, skip_rows; "
        "may be repeated; default: what the files look like",
    )


def add_input(parser: argparse.ArgumentParser, what: str, *, required: bool = True) -> None:
    """Adds `--input` and `--table`, one of which says where raw rows are; both become `input`."""
    rows = parser.add_mutually_exclusive_group(required=required)
    rows.add_argument(
        "--input", type=location, metavar="URI", help=f"{what}; delta:URI and iceberg:NAME are tables, @vN a version"
    )
    rows.add_argument(
        "--table",
        dest="input",
        type=_table,
        metavar="NAME",
        help="instead of --input: a table of the session's catalogs, CATALOG.DATABASE.TABLE; @vN is a version of it",
    )


def add_stream(parser: argparse.ArgumentParser) -> None:
    """Adds `--stream` and what goes with it: messages of a topic instead of files; all others are None without it."""
    stream = parser.add_argument_group("messages of Kafka")
    add = stream.add_argument
    add(
        "--stream",
        action="store_true",
        help="score the messages of --input kafka:TOPIC as they come, into a folder or kafka:TOPIC, until SIGTERM",
    )
    add("--brokers", metavar="HOST:PORT,…", help="brokers to ask first")
    add(
        "--kafka-config",
        type=location,
        metavar="URI",
        help="file of NAME=VALUE settings of Kafka's client: security, passwords; they are not recorded",
    )
    add("--checkpoint", type=location, metavar="URI", help="folder that knows how far the stream has come")
    add(
        "--starting",
        metavar="WHERE",
        help="where a stream without a checkpoint begins: earliest (default), latest, or an offset per partition, as "
        '{"0": 1500, "1": -2}',
    )
    add("--max-per-batch", type=int, metavar="N", help="messages of a batch at most; default: 500,000")
    add("--every", type=float, metavar="SECONDS", help="begin a batch at most so often; default: as soon as it can be")
    add(
        "--available-now",
        action="store_const",
        const=True,
        help="end with the last message that is there",
    )


STREAM_ONLY = ("brokers", "kafka_config", "checkpoint", "starting", "max_per_batch", "every", "available_now")
"""Of `add_stream`: for `--stream` alone."""


def add_master(parser: argparse.ArgumentParser) -> None:
    """Adds `--master`, for use without spark-submit."""
    parser.add_argument("--master", metavar="URL", help="Spark master; leave out under spark-submit")


def add_workspace(parser: argparse.ArgumentParser) -> None:
    """Adds `--workspace`, where everything of `run` lies."""
    parser.add_argument(
        "--workspace",
        type=location,
        default=location(WORKSPACE),
        metavar="URI",
        help="folder for datasets, trainings, predictions and the embedded MLflow store (default: %(default)s)",
    )


def add_tracking(parser: argparse.ArgumentParser) -> None:
    """Adds `--tracking-uri`, MLflow's store."""
    parser.add_argument(
        "--tracking-uri",
        type=_server,
        default=None,
        metavar="URI",
        help="MLflow store or server; default: MLFLOW_TRACKING_URI, else an SQLite file in the workspace folder",
    )


def add_pipeline_run(parser: argparse.ArgumentParser) -> None:
    """Adds `--tracking-uri`, `--submission`, and `--pipeline-run`, which puts the runs of several jobs below one."""
    add_tracking(parser)
    add_submission(parser)
    parser.add_argument(
        "--pipeline-run",
        default="",
        metavar="KEY",
        help="the same text for all jobs of one pipeline run puts their MLflow runs below one; default: none above",
    )


def add_submission(parser: argparse.ArgumentParser) -> None:
    """Adds `--submission`, by which a scheduler's second submission finds the first."""
    parser.add_argument(
        "--submission",
        type=location,
        metavar="URI",
        help="small file that tells a second submission of this job how the first is doing: it waits for one that "
        "runs, repeats the last line of one that succeeded, and takes over from one that is silent",
    )


def add_overwrite(parser: argparse.ArgumentParser, what: str) -> None:
    """Adds `--overwrite`, for outputs that already exist."""
    parser.add_argument("--overwrite", action="store_true", help=f"replace {what} that is already there")


def location(text: str) -> str:
    """Returns a URI; a bare path becomes an absolute `file:` URI, because executors run in other folders.

    Raises:
        argparse.ArgumentTypeError: if it is empty, or has a password in it.
    """
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty path was given")
    if holds_secret(text):
        raise argparse.ArgumentTypeError(ADVICE)
    scheme, colon, rest = text.partition(":")
    if colon and scheme == DELTA:
        return f"{DELTA}:{location(rest)}"
    if colon and len(scheme) > 1 and "/" not in scheme and scheme != "file":
        return text
    path = rest if scheme == "file" and colon else text
    return "file://" + os.path.abspath(path if not path.startswith("//") else "/" + path.lstrip("/"))


def tracking_uri(given: str | None, workspace: str = WORKSPACE) -> str:
    """Returns the MLflow store: as given, or `MLFLOW_TRACKING_URI`, or an SQLite file in the workspace.

    A name and password of a server in the environment's URI go where MLflow looks for them too, and where nothing
    prints them. MLflow takes those of a database from nowhere else: they stay in the URI, which is never printed whole
    (`secrets_in_uris.without_secrets`).
    """
    folder = location(workspace).removeprefix("file://")
    uri = given or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path(folder) / 'mlflow.db'}"
    login = login_of(uri)
    if login and uri.lower().startswith("http"):
        for name, value in zip(("USERNAME", "PASSWORD"), login[:2], strict=True):
            os.environ.setdefault(f"MLFLOW_TRACKING_{name}", urllib.parse.unquote(value))
        uri = os.environ["MLFLOW_TRACKING_URI"] = login[2]
    return uri


def _table(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty name was given")
    return f"{TABLE}:{text.removeprefix(f'{TABLE}:')}"


def _server(text: str) -> str:
    if holds_secret(text):
        raise argparse.ArgumentTypeError(ADVICE)
    return text


class _Option(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        name, equals, value = str(values).partition("=")
        if not equals or not name:
            parser.error(f"--option takes NAME=VALUE, such as sep=';'; got {values!r}")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), name: value})


class _Override(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: object, option: str | None = None
    ) -> None:
        key, equals, value = str(values).partition("=")
        if holds_secret(value):
            parser.error(f"--set {key}: {ADVICE}")
        if not equals or not key:
            parser.error(f"--set takes FIELD=VALUE, such as training.epochs=3; got {values!r}")
        setattr(namespace, self.dest, {**getattr(namespace, self.dest), key: value})
