"""tfx-bsl, the C++ codec we compare with, in a virtual environment and a process of its own.

tfx-bsl wants apache-beam[gcp] and its own versions of half of our packages, so it never enters `.venv`. Its codec needs
none of them: `.venv-tfx-bsl` holds tfx-bsl without dependencies, plus the few packages that its extension imports. It
is made on demand by pip (`EMBERLINE_TFX_BSL` may name another environment). The child process takes one JSON command
per line.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path
from types import TracebackType
from typing import Any, Self

VERSION = "1.21.0"
_NEEDS = ("numpy>=2,<3", "protobuf<7", "tensorflow-metadata==1.21.0", "absl-py", "pandas<3")
_FOLDER = Path(os.environ.get("EMBERLINE_TFX_BSL", Path(__file__).parents[1] / ".venv-tfx-bsl"))


class OpponentError(RuntimeError):
    """tfx-bsl could not be installed or did not answer; the message holds what it said."""


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
    import pyarrow

    venv.create(_FOLDER, with_pip=True, clear=True)
    for packages in (("--no-deps", f"tfx-bsl=={VERSION}"), (f"pyarrow=={pyarrow.__version__}", *_NEEDS)):
        result = subprocess.run(
            [python, "-m", "pip", "install", "--quiet", *packages], capture_output=True, text=True, check=False
        )
        if result.returncode:
            raise OpponentError(f"tfx-bsl could not be installed: {result.stderr.strip()[-500:]}")
    (_FOLDER / "installed").write_text(VERSION)
    return python


class TfxBsl:
    """The opponent's process: `encode` and `decode` return the seconds that its C++ code took."""

    def __init__(self, install: bool = True) -> None:
        self._process = subprocess.Popen(
            [environment(install), __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def _ask(self, **command: Any) -> float:
        if self._process.stdin is None or self._process.stdout is None:
            raise OpponentError("The process of tfx-bsl has no pipes.")
        try:
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
            return float(json.loads(self._process.stdout.readline())["seconds"])
        except (OSError, ValueError, KeyError) as error:
            raise OpponentError(f"tfx-bsl ended at {command}: status {self._process.poll()}") from error

    def encode(self, path: str) -> float:
        """Encode all batches of an Arrow file whose columns are lists."""
        return self._ask(encode=path)

    def decode(self, path: str) -> float:
        """Decode all batches of an Arrow file with one column of serialized examples; `path`.schema names columns."""
        return self._ask(decode=path)

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

    import pyarrow as pa
    from tensorflow_metadata.proto.v0 import schema_pb2
    from tfx_bsl.cc.tfx_bsl_extension import coders

    kinds = {"int64": schema_pb2.INT, "float32": schema_pb2.FLOAT, "bytes": schema_pb2.BYTES}
    loaded: dict[str, Any] = {}
    for line in sys.stdin:
        ((action, path),) = json.loads(line).items()
        if path not in loaded:
            with pa.OSFile(path) as file:
                batches = pa.ipc.open_file(file.read_buffer()).read_all().to_batches()
            if action == "decode":
                names = json.loads(Path(path + ".schema").read_text())
                schema = schema_pb2.Schema()
                for name, kind in names:
                    schema.feature.add(name=name, type=kinds[kind])
                codec = coders.ExamplesToRecordBatchDecoder(schema.SerializeToString())
                loaded[path] = codec, [batch.column(0).to_pylist() for batch in batches]
            else:
                loaded[path] = coders.RecordBatchToExamplesEncoder(), batches
        codec, work = loaded[path]
        start = time.perf_counter()
        for part in work:
            codec.Encode(part) if action == "encode" else codec.DecodeBatch(part)
        print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)


if __name__ == "__main__":
    _serve()
