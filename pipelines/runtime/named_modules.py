"""The modules of a package by their own name, at any depth: how recipes and datasets are found without a list."""

import pkgutil
from collections.abc import Collection, Iterable

from emberline.features.errors import BadInputError


def named_modules(package: str, path: Iterable[str], skip: Collection[str] = ()) -> dict[str, str]:
    """Returns the name of each module below a package to its dotted path; nothing is imported.

    Args:
        package: Dotted name of the package.
        path: Its `__path__`; may lie inside an archive.
        skip: Folders that are not looked into.

    Raises:
        BadInputError: if two modules have one name.
    """
    found: dict[str, str] = {}
    for module in pkgutil.iter_modules(path):
        dotted = f"{package}.{module.name}"
        if not module.ispkg:
            below = {module.name: dotted}
        elif module.name in skip:
            continue
        else:
            below = named_modules(dotted, [f"{folder}/{module.name}" for folder in path])
        for name, other in below.items():
            if name in found:
                raise BadInputError(
                    f"{found[name]} and {other} have one name, {name!r}: rename one of the two modules."
                )
            found[name] = other
    return found
