"""Names of columns as their users call them, and as Spark, Keras, SavedModel and MLflow take them.

A header may call a column anything; what takes fewer names gets another one, from which the user's can be told. Names
that everything takes stay as they are. Imports nothing heavy.
"""

import hashlib
import keyword
import posixpath
import re
from collections import Counter
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PREFIX = "name__"
LONGEST_STEM = 100
_TAKEN = frozenset({*keyword.kwlist, "self", "args", "kwargs"})
"""Names that no argument of TensorFlow's functions can have."""

_PIECE = re.compile(r"__|_([0-9a-f]+)_|[A-Za-z0-9]")
_NO_METRIC = re.compile(r"[^/\w.\- :]")


def quoted(name: str) -> str:
    """Returns the name of a column for Spark's expressions, quoted, whatever characters it has.

    Example:
        >>> quoted("Sepal.Length"), quoted("a`b")
        ('`Sepal.Length`', '`a``b`')
    """
    return "`" + name.replace("`", "``") + "`"


def safe_name(name: str) -> str:
    """Returns the name for an input, an argument or a layer: letters, digits and underscores. No two become one.

    Example:
        >>> safe_name("fixed acidity"), safe_name("class"), safe_name("age")
        ('name__fixed_20_acidity', 'name__class', 'age')
    """
    if _PLAIN.fullmatch(name) and not name.startswith(_PREFIX) and name not in _TAKEN:
        return name
    return _spelled(name, capitals=True)


def safe_names(names: Iterable[str]) -> dict[str, str]:
    """Returns the names of inputs of one graph, by the users' names: `safe_name`, with capitals spelled out where
    another name differs by case only. TensorFlow's operations are called alike then.

    Example:
        >>> safe_names(["Age", "a", "A"])
        {'Age': 'Age', 'a': 'a', 'A': 'name___41_'}
    """
    safe = {name: safe_name(name) for name in names}
    alike = Counter(name.lower() for name in safe.values())
    return {
        name: _spelled(name, capitals=False) if alike[known.lower()] > 1 and name != name.lower() else known
        for name, known in safe.items()
    }


def file_stem(name: str) -> str:
    """Returns a file's name, without an ending, for what belongs to a column; no two become one.

    Stores of artifacts take percent signs for escapes, and a slash would make a folder. What is longer than
    `LONGEST_STEM` ends with a digest.

    Example:
        >>> file_stem("age"), file_stem("race/ethnicity")
        ('age', 'name__race_2f_ethnicity')
    """
    safe = safe_name(name)
    if len(safe) <= LONGEST_STEM:
        return safe
    return f"{safe[:LONGEST_STEM]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _spelled(name: str, *, capitals: bool) -> str:
    """The name in letters, digits and underscores, behind a mark; capital letters as they are, or in numbers too."""
    return _PREFIX + "".join(_letter(one, capitals) for one in name)


def _letter(one: str, capitals: bool) -> str:
    if one.isascii() and one.isalnum() and (capitals or not one.isupper()):
        return one
    return "__" if one == "_" else f"_{ord(one):x}_"


def user_name(safe: str) -> str:
    """Returns the name that `safe_name` or `safe_names` made `safe` of; a name that it did not make stays as it is.

    Example:
        >>> user_name("name__fixed_20_acidity"), user_name("age")
        ('fixed acidity', 'age')
    """
    if not safe.startswith(_PREFIX):
        return safe
    pieces, place = [], len(_PREFIX)
    while place < len(safe):
        found = _PIECE.match(safe, place)
        if found is None:
            return safe
        pieces.append("_" if found[0] == "__" else chr(int(found[1], 16)) if found[1] else found[0])
        place = found.end()
    name = "".join(pieces)
    return name if safe in (safe_name(name), _spelled(name, capitals=False)) else safe


def metric_name(name: str) -> str:
    """Returns the name as a key of MLflow's metrics, which may have letters, digits, blanks and `/ _ - . :`.

    Example:
        >>> metric_name("distance/fixed acidity"), metric_name("distance/share (%)")
        ('distance/fixed acidity', 'distance/share _28__25__29_')
    """
    name = _NO_METRIC.sub(lambda found: f"_{ord(found[0]):x}_", name)
    group, slash, rest = name.partition("/")
    if slash and posixpath.normpath(name) != name:
        return f"{group}/{rest.replace('/', '_2f_').replace('.', '_2e_')}"
    return name
