"""The process of one rank of a custom program: `python -m emberline.pipelines.program.rank`."""

import io
import json
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from emberline.pipelines.cluster.rank_process import Report, announce_ready, announce_trained, run_rank
from emberline.pipelines.program import current
from emberline.pipelines.program.assignment import Assignment, Script
from emberline.pipelines.program.context import TEXT_LIMIT, Context
from emberline.pipelines.recipe import Optimizer, Training


def main() -> None:
    """Runs the program, or serves its chief."""
    run_rank(lambda told, report: _run(Assignment.from_json(told), report))


def settings(workers: int, parameter_servers: int) -> Training:
    """Returns the settings of a training with so many workers and parameter servers."""
    mode: Any = "async" if parameter_servers else "sync"
    return Training(
        optimizers=(Optimizer("sgd", 0.1),),
        epochs=1,
        global_batch=workers,
        mode=mode,
        workers=workers,
        parameter_servers=max(parameter_servers, 1),
    )


def _run(assignment: Assignment, report: Report) -> None:
    from emberline.pipelines.training.strategy import prepare_devices, serve

    training = settings(assignment.workers, assignment.parameter_servers)
    context = Context(assignment, report)
    prepare_devices(training, assignment.threads)
    announce_ready(report)
    if assignment.parameter_servers and not context.is_chief:
        serve(training, assignment.threads, report)
    report({"event": "start"})
    if context.is_chief:
        sys.stdout = _Lines(context.say)  # type: ignore[assignment]
    current.context = context
    program = assignment.program
    result = _run_script(program) if isinstance(program, Script) else program(assignment.arguments, context)
    sys.stdout.flush()
    if context.is_chief:
        report({"event": "result", "result": _plain(result)})
    announce_trained(report)


def _run_script(script: Script) -> Any:
    module = ModuleType("__main__")
    module.__file__ = script.path
    sys.modules["__main__"], sys.argv = module, [script.path, *script.arguments]
    try:
        exec(compile(script.text, script.path, "exec"), vars(module))
    except SystemExit as ended:
        if ended.code:
            raise RuntimeError(f"{script.path} ended with {ended.code!r}.") from ended
    return None


def _plain(result: Any) -> Any:
    """What a program returns, if it can be told in JSON."""
    try:
        return json.loads(json.dumps(result))
    except (TypeError, ValueError):
        return repr(result)[:TEXT_LIMIT]


class _Lines(io.TextIOBase):
    """Passes on what is printed, line by line."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            if shown := line.rpartition("\r")[2].strip():
                self._say(shown)
        return len(text)

    def flush(self) -> None:
        if self._begun:
            self.write("\n")


if __name__ == "__main__":
    main()
