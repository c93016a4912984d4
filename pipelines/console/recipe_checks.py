"""What can be known of a recipe to be wrong before anything of it runs."""

from emberline.features.columns import check, sized, stored
from emberline.features.columns.contract import Categorical
from emberline.features.errors import BadInputError
from emberline.features.statistics import Statistics
from emberline.pipelines.console.parameter_counts import built_parameters
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.evaluation.slices import require_sliceable
from emberline.pipelines.promotion.gate import require_slices
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.tasks import require_fit

SOME_IDS = 2
"""Stands for the number of ids of a column that has to learn them."""


def require_sound(recipe: Recipe) -> None:
    """Refuses a recipe that cannot work with its dataset: fields, label, gate and slices.

    Raises:
        BadInputError: for the first thing that is wrong.
    """
    schema = load_dataset(recipe.dataset).schema
    columns = recipe.stored_columns
    check(columns, sized(columns, schema.subset({field for column in columns for field in column.fields})))
    require_fit(recipe, schema)
    require_sliceable(recipe, schema)
    require_slices(recipe)


def built_weights(recipe: Recipe) -> int:
    """Builds the network, with two ids for each column that has to learn its own, and counts its trainable weights.

    Raises:
        BadInputError: with what its code raised.
    """
    columns = stored(recipe.model.columns)
    sizes = {column.name: _cardinality(column) for column in columns if isinstance(column, Categorical)}
    try:
        return built_parameters(recipe, sizes)
    except BadInputError:
        raise
    except Exception as error:  # whatever the network's code raises
        network = type(recipe.model).__module__
        raise BadInputError(f"Network {network} of recipe {recipe.name!r}: {type(error).__name__}: {error}") from error


def _cardinality(column: Categorical) -> int:
    try:
        return column.cardinality(Statistics(0, ())) or SOME_IDS
    except BadInputError:
        return SOME_IDS
