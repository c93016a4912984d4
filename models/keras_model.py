"""A network that a plain function builds with Keras, over any columns: no config class of your own is needed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emberline.features.columns import Bucketized, Column, Embedding, Indicator, Numeric
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class KerasModel:
    """The network.

    Args:
        columns: What it reads.
        network: `(features, **settings) -> output`. `features` has a tensor for each column, by its name: numbers,
            indicators and embeddings as `[batch, width]`, everything else as it is stored (ids, pixels, rows of many
            values). The output is a tensor, several by name, or a `keras.Model` that is called with the features; one
            of a single input, such as a `Sequential`, is called with all of them side by side.
        outputs: 1, or the number of classes when there are more than two; with several labels the sum over them, or 0
            for an output by name for each.
        settings: More arguments of the function, by name; `--set model.settings.NAME=…` changes them.

    Example:
        >>> def two_layers(features, units):
        ...     import keras
        ...     hidden = keras.layers.Dense(units, "relu")(features["age"])
        ...     return keras.layers.Dense(1)(hidden)
        >>> KerasModel((Numeric("age"),), two_layers, settings={"units": 8}).outputs
        1
    """

    columns: tuple[Column, ...]
    network: Callable[..., Any]
    outputs: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not callable(self.network):
            raise BadInputError(
                f"KerasModel: network must be a function from features to an output or a keras.Model, got "
                f"{self.network!r}."
            )


def build(config: KerasModel, cardinalities: Mapping[str, int]) -> "keras.Model":
    """Returns the function's network between named inputs and what the task needs.

    Args:
        config: Columns and function.
        cardinalities: Number of ids of every categorical column.

    Returns:
        Inputs `{column name: [batch, …]}`, output `[batch]`, `[batch, outputs]`, or several by name.

    Raises:
        BadInputError: if the function fails, or its output is of another shape, naming the function.
    """
    import keras
    from keras.src.utils.naming import reset_uids

    from emberline.models.embedding_table import EmbeddingTable
    from emberline.models.tabular import feature_layers

    name = getattr(config.network, "__name__", type(config.network).__name__)
    # Layers without a name are called by a counter of the process: so they are called the same in every network.
    reset_uids()
    inputs = feature_layers.model_inputs(config.columns)
    tables: dict[str, EmbeddingTable] = {}
    features = {
        column.name: feature_layers.dense_features([column], inputs, cardinalities, column.name, tables)
        if isinstance(column, Indicator | Bucketized | Embedding | Numeric) and not _is_list(column)
        else inputs[column.name]
        for column in config.columns
    }
    try:
        output = config.network(features, **config.settings)
        if isinstance(output, keras.Model):
            output = output(_taken(output, features))
    except BadInputError:
        raise
    except Exception as error:  # whatever a recipe's own code does, its name belongs to the message
        raise BadInputError(f"The network {name!r} could not be built: {type(error).__name__}: {error}") from error
    named = {key: _flat(value) for key, value in output.items()} if isinstance(output, Mapping) else None
    single = None if named is not None else _flat(output)
    if single is not None and config.outputs and tuple(single.shape[1:]) != ((config.outputs,) * (config.outputs > 1)):
        raise BadInputError(
            f"The network {name!r} says a tensor of shape {tuple(output.shape)}, and KerasModel.outputs is "
            f"{config.outputs}: expected (batch, {config.outputs})."
        )
    return keras.Model(inputs, named if named is not None else single, name="keras_model")


def _is_list(column: Column) -> bool:
    return isinstance(column, Numeric) and column.stored_shape == (None,)


def _taken(model: "keras.Model", features: "dict[str, keras.KerasTensor]") -> Any:
    """Returns what a model is called with: the features by name, or all side by side if it has a single input."""
    from keras import ops

    try:
        asked = model.input
    except (AttributeError, ValueError):  # it has no inputs before it is called
        asked = None
    if isinstance(asked, Mapping):
        return {name: features[name] for name in asked}
    if isinstance(asked, list | tuple) and len(asked) > 1:
        return [features[item.name] for item in asked]
    return ops.concatenate(list(features.values()), axis=-1) if len(features) > 1 else next(iter(features.values()))


def _flat(output: Any) -> Any:
    """Returns `[batch]` of `[batch, 1]`."""
    from keras import ops

    return ops.squeeze(output, -1) if len(output.shape) == 2 and output.shape[-1] == 1 else output
