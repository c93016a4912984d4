"""The two kinds of failure a caller can tell apart, and the spelling help both share.

`BadInputError` is what a person must fix before trying again (a path, a column, a key): jobs exit with 2.
Everything else may succeed on a second try: jobs exit with 1. Each seam derives its own type.
"""

import difflib
from collections.abc import Iterable


class BadInputError(ValueError):
    """Arguments or data that cannot work however often they are tried."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns a sentence that names the closest known spelling, or lists what is known.

    Args:
        name: The name as it was given.
        known: The names that are accepted.

    Example:
        >>> nearest("agee", ["age", "city"])
        "Did you mean 'age'?"
    """
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    if close:
        return f"Did you mean {' or '.join(map(repr, close))}?"
    return f"Known: {', '.join(names) or 'none'}."
