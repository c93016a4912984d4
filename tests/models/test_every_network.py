"""One contract for all networks: they build, score, survive export, and have the documented number of weights."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import (
    Bucketized,
    Crossed,
    Embedding,
    HashBucket,
    Indicator,
    Numeric,
    Vocabulary,
    cardinalities,
    stored,
)
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.models.tabular import dnn, linear, wide_deep
from emberline.pipelines.console.parameter_counts import COUNTS, parameters
from emberline.pipelines.recipes import load_recipe, recipe_names

STATISTICS = Statistics(10, (5, 5), fields={"age": FieldStatistics(10, 0, mean=40.0, deviation=10.0)})
AGE = Numeric("age", "zscore")
AGE_BUCKETS = Bucketized(Numeric("age"), (30, 50))
JOB = Vocabulary("job", ("clerk", "nurse", "baker"))
TOWN = HashBucket("town", 10)
WIDE = (AGE_BUCKETS, JOB, Crossed((AGE_BUCKETS, "job"), 20))
CONFIGS = {
    "linear": (linear.Config((*WIDE, AGE)), 3 + 3 + 20 + 1 + 1),
    "linear of numbers": (linear.Config((AGE,)), 2),
    "wide alone": (wide_deep.Config(WIDE, ()), 3 + 3 + 20 + 1),
    "deep alone": (wide_deep.Config((), (AGE, Indicator(JOB), Embedding(TOWN, 4)), (5,)), 40 + 8 * 5 + 5 + 6),
    "wide and deep": (wide_deep.Config(WIDE, (AGE, Embedding(TOWN, 4)), (5, 3), dropout=0.5), 27 + 40 + 30 + 18 + 4),
    "deep": (dnn.Config((AGE, Indicator(JOB)), (5,), activation="tanh", dropout=0.1), 4 * 5 + 5 + 6),
    "without hidden layers": (dnn.Config((AGE, Indicator(JOB)), ()), 5),
    "linear of 3": (linear.Config((*WIDE, AGE), outputs=3), 3 * (3 + 3 + 20 + 1 + 1)),
    "linear of numbers of 3": (linear.Config((AGE,), outputs=3), 6),
    "wide and deep of 3": (wide_deep.Config(WIDE, (AGE,), (5,), outputs=3), 3 * 27 + 10 + 18),
    "deep of 3": (dnn.Config((AGE, Embedding(TOWN, 4)), (5, 4), outputs=3), 40 + 30 + 24 + 15),
}


def batch(columns: tuple, rows: int, unknown: bool = False) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    sizes = cardinalities(columns, STATISTICS)
    return {
        column.name: generator.normal(size=rows).astype(np.float32)
        if isinstance(column, Numeric)
        else np.full(rows, -1)
        if unknown
        else generator.integers(-1, sizes[column.name], rows)
        for column in columns
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_it_builds_and_scores(name: str) -> None:
    config, weights = CONFIGS[name]
    columns = stored(config.columns)
    module = {"linear": linear, "wide_deep": wide_deep, "dnn": dnn}[type(config).__module__.rsplit(".", 1)[1]]
    model = module.build(config, cardinalities(columns, STATISTICS))
    assert model.count_params() == weights
    logits = model(batch(columns, 7), training=False)
    assert logits.shape == ((7,) if config.outputs == 1 else (7, config.outputs))
    assert np.isfinite(logits.numpy()).all()


def test_unknown_ids_weigh_nothing_and_have_no_gradient() -> None:
    config = wide_deep.Config(WIDE, (Embedding(TOWN, 4), Indicator(JOB)), (5,))
    columns = stored(config.columns)
    model = wide_deep.build(config, cardinalities(columns, STATISTICS))
    with tf.GradientTape() as tape:
        logits = model(batch(columns, 4, unknown=True))
    tables = [
        weight.value for weight in model.trainable_weights if "weights" in weight.path or "embedding" in weight.path
    ]
    for table, gradient in zip(tables, tape.gradient(logits, tables), strict=True):
        touched = np.flatnonzero(np.abs(tf.convert_to_tensor(gradient).numpy()).sum(axis=1))
        assert set(touched) <= {table.shape[0] - 1}, "only the bias, the last weight of the wide table, may move"


def test_the_linear_logit_is_a_sum_of_weights() -> None:
    config = linear.Config((*WIDE, AGE))
    columns = stored(config.columns)
    model = linear.build(config, cardinalities(columns, STATISTICS))
    for weight in model.trainable_weights:
        weight.assign(np.random.default_rng(2).normal(size=weight.shape))
    values = {weight.path: weight.numpy() for weight in model.trainable_weights}
    table, slope = values["wide_weights/embeddings"][:, 0], values["wide_numbers/kernel"][0, 0]
    rows = batch(columns, 50)
    expected = slope * rows["age"] + table[-1]
    for column, offset in zip(WIDE, (0, 3, 6), strict=True):
        ids = rows[column.name]
        expected = expected + np.where(ids >= 0, table[offset + np.maximum(ids, 0)], 0)
    np.testing.assert_allclose(model(rows).numpy(), expected, rtol=1e-5)


@pytest.mark.parametrize(("name", "expected"), COUNTS.items())
def test_parameter_counts_are_the_documented_ones(name: str, expected: int | None) -> None:
    """Census: 3,050 wide weights (and five numbers), 18,301 deep ones. Iris: 193. Houses: 100 + 100 + 5,000 and a bias.

    Learned columns have no number before Spark has run.
    """
    assert parameters(load_recipe(name)) == expected


def test_every_recipe_is_counted() -> None:
    assert set(recipe_names()) == set(COUNTS)


def test_the_census_towers_have_the_documented_sizes() -> None:
    """Each tower of the tutorial by itself: the linear model's columns, and a network above an input of 51."""
    recipe = load_recipe("census_wide_deep")
    wide = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, deep=()))  # type: ignore[type-var]
    deep = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, wide=()))  # type: ignore[type-var]
    assert (parameters(wide), parameters(deep)) == (3_050, 18_301)


def test_a_logit_per_class_is_a_linear_model_per_class() -> None:
    """Every class has weights of its own: setting those of one class moves its logit alone."""
    config = linear.Config((*WIDE, AGE), outputs=3)
    columns = stored(config.columns)
    model = linear.build(config, cardinalities(columns, STATISTICS))
    for weight in model.trainable_weights:
        values = np.zeros(weight.shape)
        values[..., 1] = np.random.default_rng(2).normal(size=weight.shape[:-1])
        weight.assign(values)
    logits = model(batch(columns, 20)).numpy()
    assert np.count_nonzero(logits[:, [0, 2]]) == 0
    assert len(set(logits[:, 1].tolist())) > 10
