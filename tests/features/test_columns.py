"""Every column against `tf.feature_column`, TensorFlow's own implementation of the same words."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from features.columns import Bucketized, Crossed, HashBucket, Numeric, Vocabulary, stored
from features.errors import BadInputError
from features.schema import Field, Label, Schema
from features.statistics import FieldStatistics, Statistics, VocabularyFile
from features.transform import TransformGraph

ROWS = 4000
SCHEMA = Schema(
    (
        Field("age", "integer"),
        Field("gain", "float"),
        Field("job", "string"),
        Field("school", "string"),
        Field("sector", "string", default="?"),
    ),
    Label("label", (("0",), ("1",))),
    "key",
)
STATISTICS = Statistics(
    4,
    (2, 2),
    None,
    {
        "age": FieldStatistics(4, 0, mean=40.0, deviation=8.0, minimum=20, maximum=60, quantiles=(20, 30, 40, 50, 60)),
        "gain": FieldStatistics(
            4, 0, mean=1.5, deviation=0.5, log_mean=0.9, log_deviation=0.2, quantiles=(0, 0, 0, 1, 2)
        ),
        "job": FieldStatistics(4, 0, vocabulary=VocabularyFile("job.txt", 3)),
    },
)
fc = tf.compat.v1.feature_column


@pytest.fixture(scope="module")
def raw() -> dict[str, np.ndarray]:
    """Random rows with unseen words, boundaries hit exactly, and arbitrary UTF-8."""
    generator = np.random.default_rng(7)
    jobs = np.array(["clerk", "baker", "nurse", "pilot", "Üniform", "工人", "a b", "x" * 300], object)
    schools = np.array(["none", "basic", "high", "unlisted"], object)
    return {
        "age": generator.integers(0, 100, ROWS),
        "gain": np.round(generator.normal(0, 50, ROWS), 1),
        "job": generator.choice(jobs, ROWS),
        "school": generator.choice(schools, ROWS),
        "sector": generator.choice(np.array(["a", "b"], object), ROWS),
    }


def ours(columns: tuple, raw: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    graph = TransformGraph(SCHEMA, stored(columns), STATISTICS)
    inputs = {name: tf.constant(raw[name]) for name in graph.raw_spec}
    return {name: value.numpy() for name, value in tf.function(graph.__call__)(inputs).items()}


def theirs(column: object, raw: dict[str, np.ndarray]) -> np.ndarray:
    """`input_layer` of one dense column, in a v1 graph."""
    with tf.Graph().as_default():
        features = {name: tf.constant(values.tolist()) for name, values in raw.items()}
        features["gain"] = tf.constant(raw["gain"].astype(np.float32))
        layer = fc.input_layer(features, [column])
        with tf.compat.v1.Session() as session:
            session.run([tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()])
            return session.run(layer)


def one_hot(ids: np.ndarray, size: int) -> np.ndarray:
    return np.where(ids[:, None] >= 0, np.eye(size)[np.maximum(ids, 0)], 0)


AGE = fc.numeric_column("age", dtype=tf.int64)
CATEGORICAL = {
    "bucketized": (Bucketized(Numeric("age"), (18, 25, 65)), fc.bucketized_column(AGE, [18, 25, 65]), 4),
    "bucketized floats": (
        Bucketized(Numeric("gain"), (-10.1, 0.0, 0.1)),
        fc.bucketized_column(fc.numeric_column("gain"), [-10.1, 0.0, 0.1]),
        4,
    ),
    "vocabulary": (
        Vocabulary("job", ("nurse", "clerk")),
        fc.indicator_column(fc.categorical_column_with_vocabulary_list("job", ["nurse", "clerk"])),
        2,
    ),
    "vocabulary with unseen buckets": (
        Vocabulary("job", ("nurse", "clerk"), unseen_buckets=3),
        fc.indicator_column(fc.categorical_column_with_vocabulary_list("job", ["nurse", "clerk"], num_oov_buckets=3)),
        5,
    ),
    "hash bucket": (
        HashBucket("job", 50),
        fc.indicator_column(fc.categorical_column_with_hash_bucket("job", 50)),
        50,
    ),
    "hash bucket of integers": (
        HashBucket("age", 20),
        fc.indicator_column(fc.categorical_column_with_hash_bucket("age", 20, dtype=tf.int64)),
        20,
    ),
    "cross of two texts": (
        Crossed(("job", "school"), 97),
        fc.indicator_column(fc.crossed_column(["job", "school"], 97)),
        97,
    ),
    "cross with buckets": (
        Crossed((Bucketized(Numeric("age"), (18, 25, 65)), "job", "school"), 1000),
        fc.indicator_column(fc.crossed_column([fc.bucketized_column(AGE, [18, 25, 65]), "job", "school"], 1000)),
        1000,
    ),
    "cross with a vocabulary": (
        Crossed((Vocabulary("school", ("none", "high")), "job"), 53),
        fc.indicator_column(
            fc.crossed_column([fc.categorical_column_with_vocabulary_list("school", ["none", "high"]), "job"], 53)
        ),
        53,
    ),
    "cross with integers": (
        Crossed(("age", "job"), 41),
        fc.indicator_column(fc.crossed_column(["age", "job"], 41)),
        41,
    ),
}


@pytest.mark.parametrize("name", CATEGORICAL)
def test_ids_equal_tensorflows(name: str, raw: dict[str, np.ndarray]) -> None:
    column, oracle, size = CATEGORICAL[name]
    assert column.cardinality(STATISTICS) == size
    np.testing.assert_array_equal(one_hot(ours((column,), raw)[column.name], size), theirs(oracle, raw))


def test_ids_are_the_documented_ones() -> None:
    """Values printed in TensorFlow's documentation and measured with its own columns."""
    rows = {"job": np.array(["Exec-managerial"], object), "school": np.array(["Bachelors"], object)}
    assert ours((HashBucket("job", 100), Crossed(("school", "job"), 1000)), rows) == {
        "job": np.array([0]),
        "job_X_school": np.array([469]),
    }


@pytest.mark.parametrize("empty", [[""], ["", "clerk"]])
def test_a_missing_text_has_no_id(empty: list[str]) -> None:
    rows = {"job": np.array(empty, object), "school": np.array(["high"] * len(empty), object)}
    columns = (Vocabulary("job", ("clerk",), unseen_buckets=2), Crossed(("job", "school"), 10))
    found = ours(columns, rows)
    assert found["job"][0] == -1
    assert found["job_X_school"][0] == -1
    assert ours((HashBucket("job", 10),), rows)["job"][0] == -1


def test_a_default_takes_the_place_of_a_missing_text() -> None:
    rows = {"sector": np.array(["", "?"], object)}
    ids = ours((Vocabulary("sector", ("a", "?")),), rows)["sector"]
    np.testing.assert_array_equal(ids, [1, 1])


@pytest.mark.parametrize(
    ("normalizer", "expected"),
    [("none", [44.0, 40.0]), ("zscore", [0.5, 0.0]), ("minmax", [0.6, 0.5])],
)
def test_numbers_are_normalised_and_missing_ones_take_the_mean(normalizer: str, expected: list[float]) -> None:
    found = ours((Numeric("age", normalizer),), {"age": np.array([44, -1])})["age"]  # type: ignore[arg-type]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32


def test_log1p_is_a_z_score_of_logarithms() -> None:
    found = ours((Numeric("gain", "log1p"),), {"gain": np.array([np.e - 1, -5.0, np.nan])})["gain"]
    np.testing.assert_allclose(found, [0.5, -4.5, (np.log1p(1.5) - 0.9) / 0.2], rtol=1e-5)


def test_learned_quantiles_and_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "job.txt").write_text("clerk\t3\nbaker\t1\nnurse\t1\n")
    learned = STATISTICS.at(str(tmp_path))
    assert Bucketized(Numeric("age"), quantiles=4).cut_points(STATISTICS) == (30, 40, 50)
    assert Bucketized(Numeric("gain"), quantiles=4).cut_points(STATISTICS) == (0, 1)
    assert Vocabulary("job").listed(learned) == ("clerk", "baker", "nurse")
    assert Vocabulary("job", size=1).listed(learned) == ("clerk",)
    assert Vocabulary("job", minimum_count=2).listed(learned) == ("clerk",)


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: Bucketized(Numeric("age")), "either boundaries or a number of quantiles"),
        (lambda: Bucketized(Numeric("age"), (3, 1)), "must rise strictly"),
        (lambda: Vocabulary("job", ("a", "a")), "more than once"),
        (lambda: Crossed(("job",), 10), "two keys or more"),
        (lambda: Crossed((HashBucket("job", 5), "school"), 10), "Bucketized and Vocabulary"),  # type: ignore[arg-type]
        (lambda: stored((HashBucket("job", 5), HashBucket("job", 6))), "Two different columns"),
        (lambda: ours((Numeric("gian"),), {}), "Did you mean 'gain'"),
    ],
)
def test_a_wrong_declaration_is_refused(declare: object, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        declare()  # type: ignore[operator]
