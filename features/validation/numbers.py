"""Which texts are numbers: the same for Python, Arrow and TensorFlow, whatever Java would take besides.

Java reads `30d`, `7f` and `0x1p3` as numbers, Python `1_000` and digits of any script, Arrow `0x1F`, all of them
something that people call a text. A column of lengths such as `30d` would become numbers silently.
"""

import re

from pyspark.sql import Column
from pyspark.sql import functions as F

_BLANKS = r"[\t\n\x0B\f\r ]*"
_DECIMAL = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_NO_FINITE = r"[iI][nN][fF](?:[iI][nN][iI][tT][yY])?"

INTEGER = rf"\A{_BLANKS}[+-]?[0-9]+{_BLANKS}\z"
NUMBER = rf"\A{_BLANKS}[+-]?(?:{_DECIMAL}|{_NO_FINITE}|[nN][aA][nN]){_BLANKS}\z"
"""As Java spells patterns; Python spells the end otherwise."""

_NAN = rf"\A{_BLANKS}[+-][nN][aA][nN]{_BLANKS}\z"
"""Which Spark's cast takes for none."""

_PYTHON_NUMBER = re.compile(NUMBER.replace(r"\z", r"\Z"))


def is_number(text: str) -> bool:
    r"""Returns whether a text is a number, blanks around it aside.

    >>> [is_number(text) for text in ("1e5", " -.5\t", "Infinity", "30d", "0x1p3", "1_000", "٣")]
    [True, True, True, False, False, False, False]
    """
    return _PYTHON_NUMBER.match(text) is not None


def to_number(text: Column, kind: str) -> Column:
    """Converts a text to a number; null where it is none, or one that the type cannot hold.

    Args:
        text: Texts.
        kind: `bigint`, `double` or `float`.
    """
    if kind == "bigint":
        return F.when(text.rlike(INTEGER), text.try_cast(kind))
    number = F.when(text.rlike(NUMBER), text.try_cast(kind))
    return F.coalesce(number, F.when(text.rlike(_NAN), F.lit(float("nan")).cast(kind)))
