"""The examples in docstrings: they run, and every public class has one. None of them needs Spark."""

import doctest
import importlib
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("features", "models", "pipelines", "jobs")
MODULES = sorted(
    "emberline." + ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for room in ROOMS
    for path in (ROOT / room).rglob("*.py")
    if ">>> " in path.read_text()
)

PUBLIC = ("emberline.features.columns", "emberline.pipelines.recipe")
"""Packages all of whose exported classes have an example."""

OTHERS = (
    "emberline.features.schema.Field",
    "emberline.features.schema.Label",
    "emberline.features.schema.Schema",
    "emberline.features.statistics.Statistics",
    "emberline.features.tfrecord.codec.example.ExampleDecoder",
    "emberline.features.tfrecord.codec.example.ExampleEncoder",
    "emberline.features.tfrecord.manifest.ShardSet",
    "emberline.features.tokens.Tokens",
    "emberline.features.transform.TransformGraph",
    "emberline.features.validation.expectations.Expectations",
    "emberline.features.validation.expectations.Limits",
)


def exported(package: ModuleType) -> list[type]:
    """The classes that a package exports, without protocols and names of several types, which have no objects."""
    found = [getattr(package, name) for name in package.__all__]
    return [each for each in found if inspect.isclass(each) and not getattr(each, "_is_protocol", False)]


def public() -> list[Any]:
    classes: list[Any] = [each for name in PUBLIC for each in exported(importlib.import_module(name))]
    for name in OTHERS:
        module, _, attribute = name.rpartition(".")
        classes.append(getattr(importlib.import_module(module), attribute))
    return classes


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__name__ == name, "a module has one name"
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.attempted, "the example is in a docstring of something that another module made"
    assert result.failed == 0, "what was expected and what came is printed above"


@pytest.mark.parametrize("each", public(), ids=lambda each: each.__name__)
def test_a_public_class_has_an_example(each: type) -> None:
    assert any(example.examples for example in doctest.DocTestFinder(recurse=False).find(each)), (
        f"{each.__module__}.{each.__qualname__} has no example: add `Example:` with `>>> ` lines to its docstring."
    )
