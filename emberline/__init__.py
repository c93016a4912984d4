"""emberline: Spark as a deep-learning pipeline; from Python, `import emberline as em`.

Names are imported when they are used first: `import emberline` itself costs a millisecond.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emberline.features.columns import (
        Bucketized,
        Crossed,
        Embedding,
        HashBucket,
        Identity,
        Image,
        Indicator,
        Numeric,
        Vocabulary,
        Weighted,
    )
    from emberline.features.dataset_rows import read_version
    from emberline.features.errors import BadInputError
    from emberline.features.schema import Field, Label, Schema
    from emberline.models.keras_model import KerasModel
    from emberline.pipelines.api.dataset import Dataset, open_dataset
    from emberline.pipelines.api.estimator import RecipeEstimator, RecipeModel
    from emberline.pipelines.api.notebook import session
    from emberline.pipelines.api.program import distribute
    from emberline.pipelines.api.steps import etl, evaluate, register, score, table, train, udf
    from emberline.pipelines.datasets import load_dataset
    from emberline.pipelines.datasets.readers.named_table import NamedTable
    from emberline.pipelines.program.context import Context
    from emberline.pipelines.program.current import current_context
    from emberline.pipelines.recipe import (
        Between,
        Evaluation,
        Gate,
        OneOf,
        Optimizer,
        Preparation,
        Recipe,
        Schedule,
        Training,
    )
    from emberline.pipelines.recipes import load_recipe

_PLACES = {
    "emberline.features.columns": (
        "Bucketized", "Crossed", "Embedding", "HashBucket", "Identity", "Image", "Indicator", "Numeric", "Vocabulary",
        "Weighted",
    ),
    "emberline.features.dataset_rows": ("read_version",),
    "emberline.features.errors": ("BadInputError",),
    "emberline.features.schema": ("Field", "Label", "Schema"),
    "emberline.models.keras_model": ("KerasModel",),
    "emberline.pipelines.api.dataset": ("Dataset", "open_dataset"),
    "emberline.pipelines.api.estimator": ("RecipeEstimator", "RecipeModel"),
    "emberline.pipelines.api.notebook": ("session",),
    "emberline.pipelines.api.program": ("distribute",),
    "emberline.pipelines.api.steps": ("etl", "evaluate", "register", "score", "table", "train", "udf"),
    "emberline.pipelines.datasets": ("load_dataset",),
    "emberline.pipelines.datasets.readers.named_table": ("NamedTable",),
    "emberline.pipelines.program.context": ("Context",),
    "emberline.pipelines.program.current": ("current_context",),
    "emberline.pipelines.recipe": (
        "Between", "Evaluation", "Gate", "OneOf", "Optimizer", "Preparation", "Recipe", "Schedule", "Training",
    ),
    "emberline.pipelines.recipes": ("load_recipe",),
}  # fmt: skip
_MODULES = {name: module for module, names in _PLACES.items() for name in names}

__all__ = [
    "BadInputError", "Between", "Bucketized", "Context", "Crossed", "Dataset", "Embedding", "Evaluation", "Field",
    "Gate", "HashBucket", "Identity", "Image", "Indicator", "KerasModel", "Label", "NamedTable", "Numeric", "OneOf",
    "Optimizer", "Preparation", "Recipe", "RecipeEstimator", "RecipeModel", "Schedule", "Schema", "Training",
    "Vocabulary", "Weighted", "current_context", "distribute", "etl", "evaluate", "load_dataset", "load_recipe",
    "open_dataset", "read_version", "register", "score", "session", "table", "train", "udf",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'emberline' has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
