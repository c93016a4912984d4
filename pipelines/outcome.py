"""How a job ends: one JSON line on stdout, one reason on stderr, and an exit code that a scheduler can act on."""

import argparse
import dataclasses
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Any

from features.errors import BadInputError
from pipelines import logs

SUCCESS, FAILURE, BAD_INPUT = 0, 1, 2
SUBMIT_COPY_SECONDS = 1.0


def conclude(job: str, work: Callable[[], Any]) -> int:
    """Runs a job's work and turns its result, or its failure, into output and exit code.

    Args:
        job: Name for messages.
        work: Returns a dataclass or a dictionary of plain values.

    Returns:
        0 on success; 2 when the arguments or the data must change before a retry can help; 1 otherwise.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # its banners would bury the progress lines
    logs.start(job=job)
    try:
        result = work()
    except BadInputError as error:
        return _fail(job, BAD_INPUT, str(error), error)
    except KeyboardInterrupt:
        return _fail(job, FAILURE, "interrupted", None)
    except Exception as error:
        logging.getLogger("emberline").debug("failure", exc_info=True)
        return _fail(job, FAILURE, f"{str(error).strip() or type(error).__name__}", error)
    plain = dataclasses.asdict(result) if dataclasses.is_dataclass(result) and not isinstance(result, type) else result
    _say_last({"job": job, "status": "succeeded"} | plain)
    return SUCCESS


def parse(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """Parsed arguments; argparse itself ends the process with code 2 when they are wrong."""
    return parser.parse_args(arguments)


def _fail(job: str, code: int, reason: str, error: Exception | None) -> int:
    if logs.as_json():
        logs.tell(reason, "error", code=code)
    else:
        print(f"emberline {job}: {reason}", file=sys.stderr, flush=True)
    kind = type(error).__name__ if error else "Interrupted"
    _say_last({"job": job, "status": "failed", "kind": kind, "reason": reason[:2000]})
    return code


def _say_last(outcome: dict[str, Any]) -> None:
    print(json.dumps(outcome), flush=True)
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        # spark-submit copies our output in a thread that it does not wait for once we have ended.
        time.sleep(SUBMIT_COPY_SECONDS)
