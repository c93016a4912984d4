"""Two processes that train together: their ports are held until they are bound, and nothing waits without an end."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from emberline.pipelines.cluster.door import reserved_port

ROOT = Path(__file__).parents[1]
SECONDS = 240
"""For all of it: TensorFlow alone takes ten of them to be imported on a busy machine."""

READY = """
def wait_for_the_port():
    import sys
    print("ready", flush=True)
    sys.stdin.readline()
"""
"""What a rank's script begins with; it calls `wait_for_the_port()` right before it makes its strategy."""


def run_two_ranks(script: str, arguments: list[str], folder: Path, *, first_only: bool = False) -> list[Any]:
    """What both ranks print as a line of JSON, or the one that is done first.

    Args:
        script: Reads one of `arguments` from `sys.argv[1]`, prints its line, and waits for the end of its stdin.
        arguments: By rank.
        folder: Takes their stderr.
        first_only: Whether the first to print is enough.

    Raises:
        AssertionError: if a rank ends early or says nothing in time, with the last words of both.
    """
    folder.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + SECONDS
    ports = [reserved_port() for _ in arguments]
    workers = [f"127.0.0.1:{port.getsockname()[1]}" for port in ports]
    errors = [folder / f"stderr-{rank}" for rank in range(len(arguments))]
    ranks: list[subprocess.Popen[str]] = []
    try:
        for rank, given in enumerate(arguments):
            config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": rank}}
            environment = os.environ | {"TF_CONFIG": json.dumps(config)}
            with errors[rank].open("w") as stderr:
                ranks.append(
                    subprocess.Popen(
                        [sys.executable, "-c", READY + script, given], env=environment,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True, cwd=ROOT,
                    )
                )  # fmt: skip
        said = _lines(ranks, deadline, errors)
        assert said == ["ready\n"] * len(ranks), _words(errors)
        for port, rank in zip(ports, ranks, strict=True):
            port.close()
            rank.stdin.write("go\n")  # type: ignore[union-attr]
            rank.stdin.flush()  # type: ignore[union-attr]
        return [json.loads(line) for line in _lines(ranks, deadline, errors, first_only=first_only)]
    finally:
        for port in ports:
            port.close()
        for rank in ranks:
            rank.kill()
        for rank in ranks:
            rank.communicate(timeout=60)


def _lines(
    ranks: list[subprocess.Popen[str]], deadline: float, errors: list[Path], *, first_only: bool = False
) -> list[str]:
    """The next line of each rank, or of the first that has one."""
    waiting, found = {rank.stdout: number for number, rank in enumerate(ranks)}, {}
    while waiting and not (first_only and found):
        ready = select.select(list(waiting), [], [], max(0.0, deadline - time.monotonic()))[0]
        assert ready, f"ranks {sorted(waiting.values())} said nothing in {SECONDS} s.\n{_words(errors)}"
        for stream in ready:
            line = stream.readline()
            assert line, f"rank {waiting[stream]} ended early.\n{_words(errors)}"
            found[waiting.pop(stream)] = line
    return [found[number] for number in sorted(found)]


def _words(errors: list[Path]) -> str:
    return "\n".join(f"rank {rank}: {error.read_text()[-2000:]}" for rank, error in enumerate(errors))
