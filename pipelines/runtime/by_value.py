"""Python values as text, for an assignment's line of JSON: a recipe, or a function with its arguments.

What an importable module defines travels by its name, and the executor imports it; what `__main__` defines, such as
the cells of a notebook, travels as code. The text goes inside Spark's own task closure, which Spark unpickles anyway,
and from there through the pipe between an executor's worker and its child. It must come from nowhere else: to read it
is to run it.
"""

import base64
import socket
from typing import Any

from emberline.features.errors import BadInputError

SHIP_IT = (
    "Ship its code: pack it with `emberline bundle` and pass the archive to spark-submit --py-files, or to "
    "em.session(py_files=[...])."
)


def to_text(value: Any) -> str:
    """Returns the value as one line of plain ASCII.

    Raises:
        BadInputError: if some part of it cannot travel, such as an open file or a Spark session.
    """
    from pyspark import cloudpickle

    try:
        return base64.b64encode(cloudpickle.dumps(value)).decode("ascii")
    except Exception as error:  # pickling runs code of every class it meets, which may raise anything
        raise BadInputError(
            f"{_named(value)} cannot be sent to executors: {type(error).__name__}: {error}. It must hold plain values "
            "and code alone, no open files, sessions, locks or TensorFlow objects; make those where they are used."
        ) from error


def from_text(text: str) -> Any:
    """Returns the value that `to_text` wrote; runs what it holds, see above.

    Raises:
        BadInputError: if this machine cannot import a module that the value is of.
    """
    import pickle

    try:
        return pickle.loads(base64.b64decode(text))
    except ImportError as error:
        raise BadInputError(
            f"{error} on {socket.gethostname()}: what was sent here needs the module {error.name!r}, which the driver "
            f"could import and this executor cannot. {SHIP_IT} Classes and functions of a script or of a notebook's "
            "cells travel by themselves."
        ) from error
    except AttributeError as error:
        raise BadInputError(
            f"{error} on {socket.gethostname()}: the driver's version of this module is another than the executor's. "
            f"{SHIP_IT}"
        ) from error


def _named(value: Any) -> str:
    name = getattr(value, "name", None) or getattr(value, "__name__", None)
    return f"{type(value).__name__} {name!r}" if isinstance(name, str) else f"A value of type {type(value).__name__}"
