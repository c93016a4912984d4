"""Petastorm, the reader we compare with, in a virtual environment and a process of its own.

Petastorm 0.13.1 imports `pyarrow.filesystem`, which pyarrow removed in version 16, so it cannot live in `.venv`.
`.venv-petastorm` holds it with pyarrow 14, the numpy and pandas of that time, and our version of TensorFlow. It is made
on demand by pip (`EMBERLINE_PETASTORM` may name another environment). The child takes one JSON command per line.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from types import TracebackType
from typing import Any, Self

VERSION = "0.13.1"
_NEEDS = ("pyarrow==14.0.2", "numpy<2", "pandas<2.2")
_FOLDER = Path(os.environ.get("EMBERLINE_PETASTORM", Path(__file__).parents[1] / ".venv-petastorm"))


class OpponentError(RuntimeError):
    """Petastorm could not be installed or did not answer; the message holds what it said."""


def environment(install: bool) -> Path:
    """The Python of the opponent's environment.

    Args:
        install: Whether to make it when it is missing.

    Raises:
        OpponentError: with the end of pip's output, or if it is missing and may not be made.
    """
    python = _FOLDER / "bin" / "python"
    if (_FOLDER / "installed").exists():
        return python
    if not install:
        raise OpponentError(f"Its environment {_FOLDER.name} is missing, and a tiny run makes none.")
    from importlib.metadata import version

    venv.create(_FOLDER, with_pip=True, clear=True)
    packages = (f"petastorm=={VERSION}", f"tensorflow=={version('tensorflow')}", *_NEEDS)
    result = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise OpponentError(f"Petastorm could not be installed: {result.stderr.strip()[-500:]}")
    (_FOLDER / "installed").write_text(VERSION)
    return python


class Petastorm:
    """The opponent's process: `read` returns the seconds of one epoch."""

    def __init__(self, install: bool = True) -> None:
        environment_variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        self._process = subprocess.Popen(
            [environment(install), "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            stderr=subprocess.DEVNULL,
            env=environment_variables,
        )

    def read(self, folder: str, batch: int, pool: str) -> tuple[float, int]:
        """Reads every batch of a shuffled epoch; seconds, and rows seen.

        Args:
            folder: Of Parquet files.
            batch: Rows per batch.
            pool: `thread`, or `process`.

        Raises:
            OpponentError: if the process ended.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise OpponentError("The process of Petastorm has no pipes.")
        try:
            self._process.stdin.write(json.dumps({"folder": folder, "batch": batch, "pool": pool}) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline())
            return float(answer["seconds"]), int(answer["rows"])
        except (OSError, ValueError, KeyError) as error:
            raise OpponentError(f"Petastorm ended at {folder}: status {self._process.poll()}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(30)


def _serve() -> None:
    """The child: runs in the opponent's environment, imports nothing of ours."""
    import time

    import tensorflow as tf
    from petastorm import make_batch_reader
    from petastorm.tf_utils import make_petastorm_dataset

    answers, sys.stdout = sys.stdout, sys.stderr  # Petastorm prints as it cleans up
    for line in sys.stdin:
        command: dict[str, Any] = json.loads(line)
        start = time.perf_counter()
        with make_batch_reader(
            f"file://{command['folder']}",
            reader_pool_type=command["pool"],
            workers_count=2,
            shuffle_row_groups=True,
            shuffle_rows=True,
            seed=1,
        ) as reader:
            dataset = make_petastorm_dataset(reader).map(lambda columns: columns._asdict())
            batches = dataset.rebatch(command["batch"], drop_remainder=True).prefetch(tf.data.AUTOTUNE)
            # Taken inside TensorFlow, as a training step would.
            rows = int(batches.reduce(0, lambda count, batch: count + tf.shape(batch["label"])[0]))
        print(json.dumps({"seconds": time.perf_counter() - start, "rows": rows}), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
