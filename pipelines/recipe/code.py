"""A recipe's own functions and classes as plain text: what they are called, and a digest of what they do."""

import functools
import hashlib
from types import CodeType, FunctionType, MethodType
from typing import Any

DIGEST_LENGTH = 12
PLAIN = (bool, int, float, str, bytes, type(None))


def code_name(value: Any) -> str:
    """Returns a name of a function, a class or an object; another body, default or captured value has another name.

    Args:
        value: What a recipe was given, such as a loss, a factory of optimizers, or a callback.

    Returns:
        `module:qualname@digest`. The digest is of the compiled code, so comments make no difference.

    Example:
        >>> def double(x):
        ...     return 2 * x
        >>> def triple(x):
        ...     return 3 * x
        >>> code_name(double).rpartition("@")[0].endswith(":double")
        True
        >>> triple.__qualname__ = "double"
        >>> code_name(double) == code_name(triple)
        False
    """
    named = _unwrapped(value)
    module = getattr(named, "__module__", None) or type(named).__module__
    name = getattr(named, "__qualname__", None) or type(named).__qualname__
    digest = hashlib.sha256(repr(_content(value)).encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{module}:{name}@{digest}"


def _unwrapped(value: Any) -> Any:
    while isinstance(value, functools.partial):
        value = value.func
    return value


def _content(value: Any) -> Any:
    """Returns everything that affects a call of the function, as far as it is known, as plain values."""
    match value:
        case functools.partial():
            return _content(value.func), _content(value.args), _content(value.keywords)
        case MethodType():
            return _content(value.__func__), _content(value.__self__)
        case FunctionType():
            cells = [cell.cell_contents for cell in value.__closure__ or ()]
            return _code(value.__code__), _content(value.__defaults__), _content(value.__kwdefaults__), _content(cells)
        case type():
            methods = {name: item for name, item in vars(value).items() if isinstance(item, FunctionType)}
            return f"{value.__module__}:{value.__qualname__}", [
                (name, _code(item.__code__)) for name, item in sorted(methods.items())
            ]
        case dict():
            return sorted((str(key), _content(item)) for key, item in value.items())
        case tuple() | list():
            return [_content(item) for item in value]
    if isinstance(value, PLAIN):
        return repr(value)
    state = getattr(value, "__dict__", {})
    return _content(type(value)), _content({key: item for key, item in state.items() if isinstance(item, PLAIN)})


def _code(code: CodeType) -> Any:
    return code.co_code.hex(), [_constant(item) for item in code.co_consts], code.co_names


def _constant(value: Any) -> Any:
    match value:
        case CodeType():
            return _code(value)
        case frozenset():
            return sorted(map(repr, value))  # whose order differs from process to process
        case tuple():
            return [_constant(item) for item in value]
    return repr(value)
