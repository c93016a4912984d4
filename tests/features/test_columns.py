"""Every column against `tf.feature_column`, TensorFlow's own implementation of the same words."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from emberline.features.columns import (
    Bucketized,
    Crossed,
    Embedding,
    HashBucket,
    Identity,
    Indicator,
    Numeric,
    Vocabulary,
    Weighted,
    arrow_schema,
    cardinalities,
    check,
    describe,
    needs,
    shared_embeddings,
    stored,
)
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import (
    FieldStatistics,
    LearnedQuantiles,
    LearnedVocabulary,
    Statistics,
    VocabularyFile,
)
from emberline.features.transform import TransformGraph

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


def ours(columns: tuple, raw: dict[str, np.ndarray], statistics: Statistics = STATISTICS) -> dict[str, np.ndarray]:
    graph = TransformGraph(SCHEMA, stored(columns), statistics)
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


@pytest.mark.parametrize(
    ("normalizer", "parameters", "expected"),
    [
        ("zscore", (10.0, 2.0), [-5, 4.5, 0]),
        ("minmax", (0.0, 10.0), [0, 1.9, 1]),
        ("clip", (1.0, 12.0), [1, 12, 10]),
        ("log1p", (0.0, 2.0), [0, np.log(20) / 2, np.log(11) / 2]),
    ],
)
def test_given_parameters_need_no_statistics(normalizer: str, parameters: tuple, expected: list[float]) -> None:
    column = Numeric("gain", normalizer, default=10.0, parameters=parameters)  # type: ignore[arg-type]
    found = ours((column,), {"gain": np.array([0.0, 19.0, np.nan])}, Statistics(0))
    np.testing.assert_allclose(found["gain"], expected, rtol=1e-6)


def test_learned_clipping_cuts_off_the_outermost_hundredths() -> None:
    facts = FieldStatistics(9, 0, mean=1.0, quantiles=tuple(float(value) for value in range(201)))
    column = Numeric("gain", "clip")
    found = ours((column,), {"gain": np.array([-5.0, 50.0, 500.0])}, Statistics(9, fields={"gain": facts}))
    np.testing.assert_array_equal(found["gain"], [2, 50, 198])
    assert needs((column,)) == (LearnedQuantiles("gain", 100),)


def test_two_columns_may_read_one_field() -> None:
    columns = (Numeric("age"), Identity("age", 95, called="age_id"), HashBucket("age", 7, called="age_hash"))
    found = ours(columns, {"age": np.array([30, 94, 95])})
    assert (found["age"].tolist(), found["age_id"].tolist()) == ([30, 94, 95], [30, 94, -1])
    assert found["age_hash"].min() >= 0


def test_what_is_learned_for_inner_columns() -> None:
    columns = (
        Embedding(Crossed((Vocabulary("job", size=9), Bucketized(Numeric("age"), quantiles=4)), 50), 3),
        Indicator(Vocabulary("school", minimum_count=2)),
    )
    assert set(needs(columns)) == {
        LearnedVocabulary("job", 9, 1),
        LearnedVocabulary("school", 0, 2),
        LearnedQuantiles("age", 4),
    }


def test_a_description_tells_columns_apart() -> None:
    narrow, wide = (Crossed((Bucketized(Numeric("age"), cuts), "job"), 10) for cuts in ((3.0,), (3.0, 4.0)))
    assert narrow.name == wide.name
    assert describe(narrow) != describe(wide)
    assert json.loads(json.dumps(describe(narrow))) == describe(narrow)


@dataclass(frozen=True)
class TextLength:
    """A column of one's own: nothing of ours is inherited."""

    field: str
    name: str = "text_length"
    needs: tuple = ()
    stored_type: str = "float32"
    stored_shape: tuple = ()

    @property
    def fields(self) -> tuple[str, ...]:
        return (self.field,)

    def check(self, schema: Schema) -> None:
        schema.field(self.field)

    def graph(self, statistics: Statistics) -> Callable[..., tf.Tensor]:
        return lambda raw: tf.cast(tf.strings.length(raw.text(self.field)), tf.float32)


def test_a_column_of_ones_own() -> None:
    column = TextLength("job")
    assert ours((column,), {"job": np.array(["", "abc"], object)})["text_length"].tolist() == [0, 3]
    assert arrow_schema((column,)) == pa.schema([("text_length", pa.float32())])
    assert cardinalities((column,), STATISTICS) == {}
    assert describe(column)["kind"] == "TextLength"


def test_a_column_that_learned_no_word_is_named() -> None:
    nothing = Statistics(4, (2, 2), None, {"job": FieldStatistics(0, 4, vocabulary=VocabularyFile("job.txt", 0))})
    with pytest.raises(BadInputError, match=r"'job' has no ids"):
        cardinalities((Vocabulary("job"),), nothing)
    assert cardinalities((Vocabulary("job", unseen_buckets=2),), nothing) == {"job": 2}


def test_log1p_is_a_z_score_of_logarithms() -> None:
    found = ours((Numeric("gain", "log1p"),), {"gain": np.array([np.e - 1, -5.0, np.nan])})["gain"]
    np.testing.assert_allclose(found, [0.5, -4.5, (np.log1p(1.5) - 0.9) / 0.2], rtol=1e-5)


def test_learned_quantiles_and_vocabulary(tmp_path: Path) -> None:
    (tmp_path / "job.txt").write_text("clerk\t3\nbaker\t1\nnurse\t1\n")
    learned = STATISTICS.at(str(tmp_path))
    assert Bucketized(Numeric("age"), quantiles=4).cut_points(STATISTICS) == (30, 40, 50)
    assert Bucketized(Numeric("gain"), quantiles=4).cut_points(STATISTICS) == (0, 1)
    rows = {"job": np.array(["nurse", "clerk", "baker", "pilot"], object)}

    def ids(column: Vocabulary) -> list[int]:
        return ours((column,), rows, learned)["job"].tolist()

    assert ids(Vocabulary("job")) == [2, 0, 1, -1]
    assert ids(Vocabulary("job", size=1)) == ids(Vocabulary("job", minimum_count=2)) == [-1, 0, -1, -1]
    assert ids(Vocabulary("job", size=2, default=1)) == [1, 0, 1, 1]
    assert ids(Vocabulary("job", minimum_count=9)) == [-1] * 4
    assert Vocabulary("job", minimum_count=2, unseen_buckets=4).cardinality(learned) == 5


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
        (lambda: Numeric("gain", shape=(3,), default=(1.0, 2.0)), "2 defaults do not fit"),
        (lambda: Numeric("gain", parameters=(1.0, 2.0)), "need a normalizer"),
        (lambda: Numeric("gain", "clip", parameters=(2.0, 1.0)), "low < high"),
        (lambda: Bucketized(Numeric("age", many=True), (1.0,)), "is not cut"),
        (lambda: Bucketized(Numeric("age", "zscore"), quantiles=3), "drop the normalizer"),
        (lambda: Identity("age", 5, default=5), "default among them"),
        (lambda: Vocabulary("job", ("a",), size=3), "drop the file and the size"),
        (lambda: Vocabulary("job", ("a",), default=0, unseen_buckets=1), "not both"),
        (lambda: Vocabulary("job", file="nowhere/words.txt").cardinality(STATISTICS), "cannot be read"),
        (lambda: Weighted(Crossed(("job", "school"), 5), "gain"), "values of one field"),
        (lambda: Embedding(HashBucket("job", 5), 3, combiner="max"), "mean, sum or sqrtn"),  # type: ignore[arg-type]
        (lambda: shared_embeddings((HashBucket("job", 5), HashBucket("school", 6)), 3), "different ids"),
        (lambda: shared_embeddings((Vocabulary("job"), Vocabulary("school")), 3), "different ids"),
        (lambda: check((Vocabulary("job", many=True),), SCHEMA), "many=False"),
        (lambda: check((HashBucket("gain", 5),), SCHEMA), "Bucketize it first"),
        (lambda: check((Crossed(("gain", "job"), 5),), SCHEMA), "Bucketize it first"),
        (lambda: check((Numeric("job"),), SCHEMA), "expected integer or float"),
        (lambda: check((Numeric("gain", shape=(2,)),), SCHEMA), "Give both the same shape"),
    ],
)
def test_a_wrong_declaration_is_refused(declare: object, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        declare()  # type: ignore[operator]
