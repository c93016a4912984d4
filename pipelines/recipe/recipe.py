"""A recipe: one use case as a frozen value."""

import dataclasses
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Literal, Protocol

from emberline.features.columns import Column, Numeric, Transformed, describe, stored
from emberline.features.schema import Schema
from emberline.features.validation.expectations import Expectations
from emberline.pipelines.recipe.code import code_name
from emberline.pipelines.recipe.evaluation import Evaluation, Gate
from emberline.pipelines.recipe.search_space import Axis
from emberline.pipelines.recipe.training import Training


@dataclass(frozen=True)
class Preparation:
    """How a dataset version is written.

    Args:
        shards: Files per split.
        rows_per_block: Rows per record.
        codec: `gzip`, `zlib` or none.
        seed: The order of rows follows from it.

    Example:
        >>> from emberline.pipelines.recipe import Preparation
        >>> Preparation(shards=100, rows_per_block=5_000, codec="gzip").seed
        1
    """

    shards: int = 4
    rows_per_block: int = 500
    codec: Literal["none", "gzip", "zlib"] = "none"
    seed: int = 1


class ModelConfig(Protocol):
    """A frozen dataclass whose module has `build(config, cardinalities) -> keras.Model`."""

    @property
    def columns(self) -> tuple[Column, ...]: ...

    @property
    def outputs(self) -> int:
        """1 for two classes (log-odds of the second) or a number, else one logit per class."""


class RawData(Protocol):
    """What a recipe knows of a dataset: `emberline.pipelines.datasets.readers.raw_table.Dataset` says the rest."""

    name: str
    schema: Schema


@dataclass(frozen=True)
class Recipe:
    """One use case, from raw files to predictions.

    Args:
        name: The module's name; experiments and registered models carry it.
        source: Where it was published: title and chapter.
        dataset: Module of `emberline.pipelines.datasets`, name of a project's dataset, `module:NAME`, or the dataset
            itself.
        model: Network and columns.
        training: How it is trained.
        preparation: How its dataset version is written.
        evaluation: What is measured of it.
        gate: When it becomes champion.
        expectations: What its data must be like as a whole.
        space: What `emberline tune` may change.

    Example:
        >>> from emberline.features.columns import Numeric
        >>> from emberline.models.tabular import dnn
        >>> from emberline.pipelines.recipe import Optimizer, Recipe, Training
        >>> recipe = Recipe(
        ...     name="mine",
        ...     source="our own",
        ...     dataset="census",
        ...     model=dnn.Config((Numeric("age", normalizer="zscore"),)),
        ...     training=Training((Optimizer("adam", 0.001),), epochs=5, global_batch=512),
        ... )
        >>> [column.name for column in recipe.stored_columns]
        ['age']
    """

    name: str
    source: str
    dataset: str | RawData
    model: ModelConfig
    training: Training
    preparation: Preparation = field(default_factory=Preparation)
    evaluation: Evaluation = field(default_factory=Evaluation)
    gate: Gate = field(default_factory=Gate)
    expectations: Expectations = field(default_factory=Expectations)
    space: tuple[Axis, ...] = ()

    @property
    def dataset_name(self) -> str:
        """What runs, lists and folders call its dataset."""
        return self.dataset.replace(":", ".") if isinstance(self.dataset, str) else self.dataset.name

    @property
    def model_module(self) -> ModuleType:
        """The module that declares the model's config and builds it."""
        return importlib.import_module(type(self.model).__module__)

    @property
    def stored_columns(self) -> tuple[Transformed, ...]:
        """What a row of a dataset version holds besides label and key: the model's columns, and its weight."""
        weight = (Numeric(self.training.weight),) if self.training.weight else ()
        return stored((*self.model.columns, *weight))

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that executors import to work with it: of its network, columns, dataset, losses and so on."""
        named = [self.dataset.partition(":")[0]] if isinstance(self.dataset, str) and ":" in self.dataset else []
        return tuple(dict.fromkeys([*_modules(self), *named]))

    @property
    def only_in_training(self) -> tuple[str, ...]:
        """Names of columns that its network reads while it trains, and an exported model does without: inputs that are
        optional in Keras. A model's config names them as `only_in_training`, if there are any.
        """
        names: tuple[str, ...] = getattr(self.model, "only_in_training", ())
        return names

    @property
    def side_weight(self) -> float:
        """Factor of the losses of side classifiers, if its network has any: the model's field of this name."""
        weight: float = getattr(self.model, "side_weight", 0.0)
        return weight

    @property
    def family(self) -> str:
        """The family of the network: its folder under `models`, or the package of a network of your own."""
        return type(self.model).__module__.removeprefix("emberline.models.").split(".")[0]

    def to_json(self) -> dict[str, Any]:
        """Returns everything that makes a difference to a run, as plain values."""
        described = _plain(
            replace(self, space=(), dataset=self.dataset if isinstance(self.dataset, str) else self.dataset.name)
        )
        del described["space"]
        return described | {"network": type(self.model).__module__, "family": self.family}


def _modules(value: Any) -> Iterator[str]:
    """The modules that define a value and its parts; for functions and classes, that which defines them."""
    if isinstance(module := getattr(value, "__module__", None), str):
        yield module
    if isinstance(value, tuple | list):
        for item in value:
            yield from _modules(item)
    elif isinstance(value, Mapping):
        yield from _modules(list(value.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for item in dataclasses.fields(value):
            yield from _modules(getattr(value, item.name))


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Column):
        return {key: _plain(item) for key, item in describe(value).items()}
    if callable(value):
        return code_name(value)
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    return value


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Flattens nested plain values to dotted keys; lists of plain values stay whole.

    Example:
        >>> flatten({"training": {"epochs": 3, "optimizers": [{"kind": "adam"}]}})
        {'training.epochs': 3, 'training.optimizers.0.kind': 'adam'}
    """
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {prefix: value}
    return {k: v for key, item in items for k, v in flatten(item, f"{prefix}.{key}" if prefix else key).items()}


def network_name(recorded: str) -> str:
    """Returns a network's module by its name of today; version 0.1 recorded `models.…` for `emberline.models.…`."""
    return f"emberline.{recorded}" if recorded.startswith("models.") else recorded
