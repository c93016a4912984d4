"""How Java starts where one machine runs everything: its compilers take the cores that the work wants.

Of a small table they took more than half of the processor's time of a whole pipeline. They find no second core to
themselves there, and the process ends before what they made has paid.
"""

import os
from pathlib import Path

import pyspark

from emberline.features import storage
from emberline.pipelines.runtime.class_archive import class_archive

LITTLE_BYTES = 16 << 20
"""Of raw files: Spark is through with them before thorough compilation pays."""

QUICK = "-XX:TieredStopAtLevel=1"
KEYS = ("spark.driver.defaultJavaOptions", "spark.executor.defaultJavaOptions")
"""Spark puts them before `extraJavaOptions`, so whatever a person sets there still counts."""


def java_options(reads: str | None = None) -> dict[str, str]:
    """Returns settings for a session whose driver and executors are all on this machine.

    Args:
        reads: URI of the raw files that the session reads; None if it is not known.

    Returns:
        Nothing where there is nothing to say, or `spark-defaults.conf` sets them; those of `--conf` come after ours.
    """
    compiled = [QUICK] if reads is not None and _is_little(reads) else []
    options = " ".join([*compiled, *_archived()])
    if not options or any(key in _defaults() for key in KEYS):
        return {}
    return dict.fromkeys(KEYS, options)


def _archived() -> list[str]:
    """Options that name the archive of Spark's classes; a Java that it does not fit goes on without, and is silent."""
    archive = class_archive()
    if archive is None or not str(archive).isprintable() or set(str(archive)) & set(" '\"\\"):
        return []
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:cds*=off"]


def _is_little(uri: str) -> bool:
    """Whether the files at a URI have few bytes together; those of other machines are not looked for."""
    if not storage.is_local(uri):
        return False
    path = Path(storage.local_path(uri))
    if path.is_file():
        return path.stat().st_size <= LITTLE_BYTES
    return path.is_dir() and sum(file.size for file in storage.list_files(uri, recursive=True)) <= LITTLE_BYTES


def _defaults() -> str:
    home = Path(os.environ.get("SPARK_HOME") or Path(pyspark.__file__).parent)
    file = Path(os.environ.get("SPARK_CONF_DIR") or home / "conf") / "spark-defaults.conf"
    try:
        return file.read_text()
    except OSError:
        return ""
