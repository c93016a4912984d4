"""The assignment of a rank that runs a custom program, as one line of JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import PurePath
from typing import Any, ClassVar

from emberline.pipelines.runtime.by_value import from_text, to_text


@dataclass(frozen=True, kw_only=True)
class Script:
    """A file that runs as `__main__`.

    Args:
        path: Its name, for tracebacks.
        text: What is in it.
        arguments: What `sys.argv` holds behind its name.
    """

    path: str
    text: str
    arguments: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the program."""
        return PurePath(self.path).stem


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One program, as every rank receives it.

    Args:
        program: A function of arguments and `Context`, or a script; the value itself travels.
        arguments: What the function gets first.
        output: URI of the folder of what it makes.
        dataset: URI of a dataset version, if it reads one.
        rows: URI of the Parquet files of a DataFrame, if it is fed.
        threads: CPU threads TensorFlow may use in one rank.
        workers: Ranks that share data.
        parameter_servers: Ranks that hold variables; with any, all ranks but the chief serve it.
        run: The MLflow run, for logs.
    """

    module: ClassVar[str] = "emberline.pipelines.program.rank"

    program: "Callable[[Any, Any], Any] | Script"
    arguments: Any = None
    output: str
    dataset: str = ""
    rows: str = ""
    threads: int = 1
    workers: int = 1
    parameter_servers: int = 0
    run: str = ""

    def to_json(self) -> str:
        """Returns one line of JSON.

        Raises:
            BadInputError: if the program or its arguments hold something that cannot travel.
        """
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        by_value = to_text((told.pop("program"), told.pop("arguments")))
        return json.dumps(told | {"by_value": by_value})

    @classmethod
    def from_json(cls, text: str) -> "Assignment":
        """Returns the assignment that `to_json` wrote.

        Raises:
            BadInputError: if the program is of a module that cannot be imported here.
        """
        told = json.loads(text)
        program, arguments = from_text(told.pop("by_value"))
        return cls(program=program, arguments=arguments, **told)
