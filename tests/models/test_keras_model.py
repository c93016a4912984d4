"""Networks that a plain function builds: what it is given, what it may give back, and how its mistakes are told."""

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from emberline.features.columns import Embedding, HashBucket, Indicator, Numeric, Vocabulary, cardinalities, stored
from emberline.features.errors import BadInputError
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.models.keras_model import KerasModel, build

STATISTICS = Statistics(10, (5, 5), fields={"age": FieldStatistics(10, 0, mean=40.0, deviation=10.0)})
AGE, JOB = Numeric("age", "zscore"), Vocabulary("job", ("clerk", "nurse", "baker"))
TOWN = HashBucket("town", 10)
COLUMNS = (AGE, Indicator(JOB), Embedding(TOWN, 4), HashBucket("street", 7))
ROWS = 5


def made(network: Any, outputs: int = 1, columns: tuple[Any, ...] = COLUMNS, **settings: Any) -> keras.Model:
    config = KerasModel(columns, network, outputs, settings)
    return build(config, cardinalities(stored(columns), STATISTICS))


def batch() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    ids = {"job": draw.integers(0, 3, ROWS), "town": draw.integers(0, 10, ROWS), "street": draw.integers(0, 7, ROWS)}
    return {"age": draw.normal(size=ROWS).astype(np.float32), **ids}


def test_dense_columns_come_dense_and_others_as_they_are_stored() -> None:
    seen = {}

    def network(features: dict[str, Any], units: int) -> Any:
        seen.update({name: (tuple(value.shape), value.dtype) for name, value in features.items()})
        dense = ops.concatenate([features[name] for name in seen if name != "street"], -1)
        return keras.layers.Dense(1)(keras.layers.Dense(units, "relu")(dense))

    model = made(network, units=6)
    assert seen == {
        "age": ((None, 1), "float32"),
        "job_indicator": ((None, 3), "float32"),
        "town_embedding": ((None, 4), "float32"),
        "street": ((None,), "int64"),
    }
    assert model(batch()).shape == (ROWS,)
    assert sum(int(np.prod(one.shape)) for one in model.trainable_variables) == 40 + 8 * 6 + 6 + 7
    again = made(network, units=6)
    assert [one.path for one in again.variables] == [one.path for one in model.variables], "checkpoints go by names"


def test_a_model_may_be_given_back() -> None:
    columns = (AGE, Indicator(JOB))

    def sequential(features: dict[str, Any]) -> Any:
        return keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dense(3)])

    def functional(features: dict[str, Any]) -> Any:
        inputs = {name: keras.Input(value.shape[1:], name=name) for name, value in features.items()}
        return keras.Model(inputs, keras.layers.Dense(3)(ops.concatenate(list(inputs.values()), -1)))

    def over_the_features(features: dict[str, Any]) -> Any:
        return keras.Model(features, keras.layers.Dense(3)(ops.concatenate(list(features.values()), -1)))

    rows = {name: value for name, value in batch().items() if name in ("age", "job")}
    for network in (sequential, functional, over_the_features):
        assert made(network, 3, columns)(rows).shape == (ROWS, 3), network.__name__


def test_several_outputs_by_name() -> None:
    def network(features: dict[str, Any]) -> Any:
        return {"price": keras.layers.Dense(1)(features["age"]), "kind": keras.layers.Dense(3)(features["age"])}

    said = made(network, 4, (AGE,))({"age": batch()["age"]})
    assert {name: tuple(value.shape) for name, value in said.items()} == {"price": (ROWS,), "kind": (ROWS, 3)}


def test_mistakes_are_told_with_the_name_of_the_function() -> None:
    def wrong(features: dict[str, Any]) -> Any:
        return keras.layers.Dense(2)(features["agee"])

    def wide(features: dict[str, Any]) -> Any:
        return keras.layers.Dense(2)(features["age"])

    with pytest.raises(BadInputError, match="The network 'wrong' could not be built: KeyError: 'agee'"):
        made(wrong)
    with pytest.raises(BadInputError, match=r"The network 'wide' says a tensor of shape \(None, 2\), .*outputs is 1"):
        made(wide)
    with pytest.raises(BadInputError, match="network must be a function from features to an output"):
        KerasModel((AGE,), "mlp")  # type: ignore[arg-type]
