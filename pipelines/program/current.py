"""The context of the program that this process runs, for scripts, which nobody passes one."""

from typing import TYPE_CHECKING

from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    from emberline.pipelines.program.context import Context

context: "Context | None" = None


def current_context() -> "Context":
    """Returns the context of this rank.

    Raises:
        BadInputError: if this process is no rank.
    """
    if context is None:
        raise BadInputError("There is no context here: it is there in a program that `emberline launch` has started.")
    return context
