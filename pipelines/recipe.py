"""A recipe: one use case in one frozen value, its `--set` overrides, and how it is found by name."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any, Literal, Protocol

import pipelines.recipes
from features.columns import Column, Numeric, Transformed, describe, stored
from features.errors import BadInputError, nearest
from features.validation.expectations import Expectations
from pipelines.overrides import replace_field
from pipelines.search_space import Axis
from pipelines.training.settings import Optimizer, Training

__all__ = [
    "Evaluation", "Gate", "ModelConfig", "Optimizer", "Preparation", "Recipe", "Training", "flatten", "load_recipe",
    "recipe_names", "slice_bounds",
]  # fmt: skip


@dataclass(frozen=True)
class Preparation:
    """How a dataset version is written.

    Args:
        shards: Files per split.
        rows_per_block: Rows per record.
        codec: `gzip`, `zlib` or none.
        seed: The order of rows follows from it.
    """

    shards: int = 4
    rows_per_block: int = 500
    codec: Literal["none", "gzip", "zlib"] = "none"
    seed: int = 1


@dataclass(frozen=True)
class Evaluation:
    """What evaluate looks at beside all held-out rows together.

    Args:
        slices: Raw fields, any of the data's, the network need not read them; the metrics are counted for each value
            too. A number field is cut into ranges: `age:30,50` into those below 30, of 30 to 50, and of 50 and more;
            plain `age` at the quartiles of the held-out rows.
        threshold: Of two classes, the probability of the second above which accuracy, precision, recall and F1 take it
            as predicted. The `class` of a prediction is that of one half in any case.
    """

    slices: tuple[str, ...] = ()
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise BadInputError(f"evaluation.threshold must lie between 0 and 1, got {self.threshold}.")
        for declared in self.slices:
            slice_bounds(declared)


def slice_bounds(declared: str) -> tuple[str, tuple[float, ...]]:
    """Field and bounds of a slice such as `age:30,50`.

    Raises:
        BadInputError: if it is not of that form.
    """
    field_name, _, listed = declared.partition(":")
    try:
        bounds = tuple(float(bound) for bound in listed.split(",")) if listed else ()
    except ValueError:
        bounds = (0.0, 0.0)
    if not field_name or list(bounds) != sorted(set(bounds)):
        raise BadInputError(
            f"evaluation.slices has {declared!r}: expected a field, or a field and rising numbers, such as age:30,50."
        )
    return field_name, bounds


@dataclass(frozen=True)
class Gate:
    """What a model must reach before it is called champion.

    Args:
        metric: Name of an evaluation metric. More is better, except for those that `pipelines.tasks.task` lists in
            `SMALLER_IS_BETTER`.
        limit: Worst value accepted, whoever the present champion is.
        margin: How much better than the present champion it must be, on the same rows.
        slices: Fields of `evaluation.slices` of which no value may fall behind the present champion.
        slice_drop: How far such a value may fall nevertheless.
        slice_rows: Slices of fewer rows say too little, and are not looked at.
        latency_ms: Milliseconds that a call of the exported model with one row may take, at the median; 0 for any.
        latency_ms_1000: The same of a call with 1,000 rows.
    """

    metric: str = "auc"
    limit: float = 0.5
    margin: float = 1e-4
    slices: tuple[str, ...] = ()
    slice_drop: float = 0.0
    slice_rows: int = 100
    latency_ms: float = 0.0
    latency_ms_1000: float = 0.0

    def __post_init__(self) -> None:
        for name in ("margin", "slice_drop", "slice_rows", "latency_ms", "latency_ms_1000"):
            if getattr(self, name) < 0:
                raise BadInputError(f"gate.{name} must be 0 or more, got {getattr(self, name)}.")


class ModelConfig(Protocol):
    """A frozen dataclass whose module has `build(config, cardinalities) -> keras.Model`."""

    @property
    def columns(self) -> tuple[Column, ...]: ...

    @property
    def outputs(self) -> int:
        """1 for two classes (log-odds of the second) or a number, else one logit per class."""


@dataclass(frozen=True)
class Recipe:
    """One use case, from raw files to predictions.

    Args:
        name: The module's name; experiments and registered models carry it.
        source: Where it was published: title and chapter.
        dataset: Module of `pipelines.datasets`.
        model: Network and columns.
        training: How it is trained.
        preparation: How its dataset version is written.
        evaluation: What is measured of it.
        gate: When it becomes champion.
        expectations: What its data must be like as a whole.
        space: What `emberline tune` may change.
    """

    name: str
    source: str
    dataset: str
    model: ModelConfig
    training: Training
    preparation: Preparation = field(default_factory=Preparation)
    evaluation: Evaluation = field(default_factory=Evaluation)
    gate: Gate = field(default_factory=Gate)
    expectations: Expectations = field(default_factory=Expectations)
    space: tuple[Axis, ...] = ()

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
        """The family of the network: its folder under `models`."""
        return type(self.model).__module__.split(".")[1]

    def to_json(self) -> dict[str, Any]:
        """Everything that makes a difference to a run, as plain values."""
        described = _plain(replace(self, space=()))
        del described["space"]
        return described | {"network": type(self.model).__module__, "family": self.family}


def recipe_names() -> list[str]:
    """All recipes, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(pipelines.recipes.__path__))


def load_recipe(name: str, overrides: Mapping[str, str] | None = None) -> Recipe:
    """The recipe called `name`, with fields replaced.

    Args:
        name: Module of `pipelines.recipes`.
        overrides: Dotted field to new value as text, such as `{"training.epochs": "3"}`.

    Raises:
        BadInputError: for an unknown name or field, or a value of another type.
    """
    if name not in recipe_names():
        raise BadInputError(f"Unknown recipe {name!r}. {nearest(name, recipe_names())}")
    recipe: Recipe = importlib.import_module(f"pipelines.recipes.{name}").RECIPE
    for key, text in (overrides or {}).items():
        recipe = replace_field(recipe, key.split("."), text, key)
    return recipe


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, Column):
        return {key: _plain(item) for key, item in describe(value).items()}
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    return value


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested plain values as dotted keys; lists of plain values stay whole."""
    if isinstance(value, dict):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {prefix: value}
    return {k: v for key, item in items for k, v in flatten(item, f"{prefix}.{key}" if prefix else key).items()}
