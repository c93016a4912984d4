"""Every column and its view against `tf.feature_column`, on thousands of random rows.

Ours goes the whole way: Arrow rows, transform graph, stored Arrow columns, network. TensorFlow's runs in a v1 graph on
sparse features, in which a missing value is absent, and on padded dense ones, in which it is "" or -1.
"""

from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.python.feature_column import feature_column as fc_v1
from tensorflow.python.feature_column import feature_column_v2 as fc_v2
from tensorflow.python.feature_column import sequence_feature_column as sfc

from emberline.features.columns import (
    Bucketized,
    Column,
    Crossed,
    Embedding,
    HashBucket,
    Identity,
    Indicator,
    Numeric,
    Vocabulary,
    Weighted,
    cardinalities,
    shared_embeddings,
    stored,
)
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.tensors import raw_tensors, stored_array, stored_tensor
from emberline.features.transform import TransformGraph
from emberline.models.tabular import feature_layers

fc = tf.compat.v1.feature_column
Rows = dict[str, list[Any]]

FIELDS = {
    "job": Field("job", "string"),
    "town": Field("town", "string"),
    "year": Field("year", "integer"),
    "price": Field("price", "float"),
    "vector": Field("vector", "float", shape=(3,)),
    "tags": Field("tags", "string", many=True),
    "codes": Field("codes", "integer", many=True),
    "strength": Field("strength", "float", many=True),
    "seen": Field("seen", "string", many=True),
    "pulse": Field("pulse", "float", many=True),
    "load": Field("load", "float"),
}
SCHEMA = Schema(tuple(FIELDS.values()), Label("label", (("0",), ("1",))), "key")
STATISTICS = Statistics(
    9, (4, 5), None, {name: FieldStatistics(9, 0, mean=2.0) for name in ("year", "price", "vector", "pulse", "load")}
)
WORDS = ("red", "green", "blue", "工人", "a b")
TEXTS = (*WORDS, "unseen", "other", "ü" * 40)
ARROW = {"string": pa.string(), "integer": pa.int64(), "float": pa.float64()}


def random_rows(rows: int, seed: int) -> Rows:
    """Missing values, empty texts, values out of range, unseen words, duplicates in a row, empty rows."""
    draw = np.random.default_rng(seed)

    def texts() -> list[str]:
        return [str(text) for text in draw.choice([*TEXTS, ""], draw.integers(0, 7))]

    def maybe(value: Any, share: float = 0.15) -> Any:
        return None if draw.random() < share else value

    tags, seen = [texts() for _ in range(rows)], [texts() for _ in range(rows)]
    return {
        "job": [maybe(str(draw.choice([*TEXTS, ""]))) for _ in range(rows)],
        "town": [maybe(str(draw.choice([*TEXTS, ""]))) for _ in range(rows)],
        "year": [maybe(int(draw.integers(-3, 13))) for _ in range(rows)],
        "price": [float(np.round(draw.normal(0, 20), 1)) for _ in range(rows)],
        "vector": [[float(x) for x in np.round(draw.normal(0, 3, 3), 1)] for _ in range(rows)],
        "tags": [maybe(row) for row in tags],
        "codes": [maybe([int(x) for x in draw.integers(-3, 13, draw.integers(0, 6))]) for _ in range(rows)],
        "strength": [[float(x) for x in draw.choice([0.0, -1.5, 0.5, 2.0, 1.25], len(row))] for row in tags],
        "seen": seen,
        "pulse": [[float(x) for x in np.round(draw.normal(60, 9, len(row)), 1)] for row in seen],
        "load": [float(draw.choice([0.0, -1.0, 0.5, 3.0])) for _ in range(rows)],
    }


def arrow(rows: Rows) -> pa.RecordBatch:
    def kind(field: Field) -> pa.DataType:
        return pa.list_(ARROW[field.kind]) if field.many or field.shape else ARROW[field.kind]

    return pa.RecordBatch.from_pydict({name: pa.array(rows[name], kind(field)) for name, field in FIELDS.items()})


def transformed(columns: tuple[Column, ...], rows: Rows) -> dict[str, tf.Tensor]:
    """What a network reads, by way of the stored columns."""
    graph = TransformGraph(SCHEMA, stored(columns), STATISTICS)
    function = tf.function(graph.__call__, input_signature=[graph.raw_spec])
    found = function(raw_tensors(arrow(rows), graph.schema))
    return {
        column.name: stored_tensor(stored_array(found[column.name], column.stored_shape)) for column in stored(columns)
    }


def dense(columns: tuple[Any, ...], rows: Rows) -> np.ndarray:
    inputs = feature_layers.model_inputs(columns)
    output = feature_layers.dense_features(columns, inputs, cardinalities(stored(columns), STATISTICS), "deep")
    return keras.Model(inputs, output)(transformed(columns, rows)).numpy()


def present(rows: Rows, name: str) -> list[list[tuple[int, Any]]]:
    """Values that are there, with their places."""
    guide = rows["tags"] if name == "strength" else rows[name]
    lists = [row if isinstance(row, list) else [row] for row in guide]
    values = [row if isinstance(row, list) else [row] for row in rows[name]]
    kept = [[at for at, value in enumerate(row) if value not in ("", -1, None)] for row in lists]
    return [[(at, row[at]) for at in places if at < len(row)] for row, places in zip(values, kept, strict=True)]


def sparse_features(rows: Rows) -> dict[str, Any]:
    features: dict[str, Any] = {name: tf.constant(rows[name]) for name in ("price", "vector")}
    for name, field in FIELDS.items():
        if name in features:
            continue
        entries = present(rows, name)
        indices = [[row, at] for row, values in enumerate(entries) for at, _ in values]
        kind = {"string": tf.string, "integer": tf.int64, "float": tf.float32}[field.kind]
        values = tf.constant([value for row in entries for _, value in row], kind)
        longest = 1 + max((at for _, at in indices), default=0)
        shape = [len(entries), longest if field.many else 1]
        features[name] = tf.SparseTensor(np.array(indices, np.int64).reshape(-1, 2), values, shape)
    return features


def padded_features(rows: Rows) -> dict[str, Any]:
    return {
        name: tensor.numpy().astype(np.float32) if tensor.dtype == tf.float64 else tensor.numpy()
        for name, tensor in raw_tensors(arrow(rows), SCHEMA).items()
    }


def run_v1(make: Any, assign: Any = lambda session: None) -> Any:
    with tf.Graph().as_default():
        output = make()
        with tf.compat.v1.Session() as session:
            session.run([tf.compat.v1.global_variables_initializer(), tf.compat.v1.tables_initializer()])
            assign(session)
            return session.run(output)


def input_layer(rows: Rows, columns: Any, features: Any = sparse_features) -> np.ndarray:
    return run_v1(lambda: fc.input_layer(features(rows), columns()))


def table(size: int, dimension: int = 4) -> np.ndarray:
    return np.random.default_rng(size).normal(size=(size, dimension)).astype(np.float32)


def nested(values: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(x) for x in row) for row in values)


YEAR = fc.numeric_column("year", dtype=tf.int64)
PRICE, VECTOR = fc.numeric_column("price"), fc.numeric_column("vector", shape=3)
PRICE_BUCKETS = Bucketized(Numeric("price"), (-10.1, 0.0, 0.1))
VOCABULARY = fc.categorical_column_with_vocabulary_list
CATEGORICAL = {
    "identity": (Identity("year", 10), lambda: fc.categorical_column_with_identity("year", 10)),
    "identity with default": (
        Identity("year", 10, default=3),
        lambda: fc.categorical_column_with_identity("year", 10, default_value=3),
    ),
    "identities": (Identity("codes", 10, many=True), lambda: fc.categorical_column_with_identity("codes", 10)),
    "identities with default": (
        Identity("codes", 10, default=0, many=True),
        lambda: fc.categorical_column_with_identity("codes", 10, default_value=0),
    ),
    "words": (Vocabulary("job", WORDS), lambda: VOCABULARY("job", WORDS)),
    "words with default": (Vocabulary("job", WORDS, default=2), lambda: VOCABULARY("job", WORDS, default_value=2)),
    "many words": (Vocabulary("tags", WORDS, many=True), lambda: VOCABULARY("tags", WORDS)),
    "many words with default": (
        Vocabulary("tags", WORDS, default=1, many=True),
        lambda: VOCABULARY("tags", WORDS, default_value=1),
    ),
    "many words with buckets": (
        Vocabulary("tags", WORDS, unseen_buckets=3, many=True),
        lambda: VOCABULARY("tags", WORDS, num_oov_buckets=3),
    ),
    "listed integers": (
        Vocabulary("codes", (7, 2, 5), unseen_buckets=4, many=True),
        lambda: VOCABULARY("codes", (7, 2, 5), dtype=tf.int64, num_oov_buckets=4),
    ),
    "hashed": (HashBucket("job", 17), lambda: fc.categorical_column_with_hash_bucket("job", 17)),
    "many hashed": (HashBucket("tags", 17, many=True), lambda: fc.categorical_column_with_hash_bucket("tags", 17)),
    "many hashed integers": (
        HashBucket("codes", 9, many=True),
        lambda: fc.categorical_column_with_hash_bucket("codes", 9, dtype=tf.int64),
    ),
}
CROSSED = {
    "texts": (Crossed(("job", "town"), 97), lambda: fc.crossed_column(["job", "town"], 97)),
    "many": (Crossed(("tags", "codes"), 97, many=True), lambda: fc.crossed_column(["tags", "codes"], 97)),
    "many with one": (Crossed(("job", "tags"), 53, many=True), lambda: fc.crossed_column(["job", "tags"], 53)),
    "four keys": (
        Crossed(("year", PRICE_BUCKETS, "town", "tags"), 101, many=True),
        lambda: fc.crossed_column(["year", fc.bucketized_column(PRICE, [-10.1, 0.0, 0.1]), "town", "tags"], 101),
    ),
    "a vocabulary with unseen words": (
        Crossed((Vocabulary("tags", WORDS, many=True), "job"), 53),
        lambda: fc.crossed_column([VOCABULARY("tags", WORDS), "job"], 53),
    ),
    "an identity out of range": (
        Crossed((Identity("codes", 5, many=True), "town"), 53),
        lambda: fc.crossed_column([fc.categorical_column_with_identity("codes", 5), "town"], 53),
    ),
    "an identity with default": (
        Crossed((Identity("year", 5, default=1), "town"), 53),
        lambda: fc.crossed_column([fc.categorical_column_with_identity("year", 5, default_value=1), "town"], 53),
    ),
    "buckets of an array": (
        Crossed((Bucketized(Numeric("vector", shape=(3,)), (0.0, 1.0)), "town"), 53),
        lambda: fc.crossed_column([fc.bucketized_column(VECTOR, [0.0, 1.0]), "town"], 53),
    ),
    "a cross": (
        Crossed(("job", Crossed((Identity("year", 20), "town"), 10)), 71),
        lambda: fc.crossed_column(
            ["job", fc.crossed_column([fc.categorical_column_with_identity("year", 20), "town"], 10)], 71
        ),
    ),
}


@pytest.fixture(scope="module")
def rows() -> Rows:
    return random_rows(2000, 3)


@pytest.mark.parametrize("form", ["sparse", "padded"])
@pytest.mark.parametrize("name", CATEGORICAL)
def test_counts_of_ids(name: str, form: str, rows: Rows) -> None:
    ours, theirs = CATEGORICAL[name]
    arrays = padded_features(rows)

    def features(rows: Rows) -> dict[str, Any]:
        return sparse_features(rows) if form == "sparse" else {name: tf.constant(a) for name, a in arrays.items()}

    expected = input_layer(rows, lambda: [fc.indicator_column(theirs())], features)
    np.testing.assert_array_equal(dense((Indicator(ours),), rows), expected)


@pytest.mark.parametrize("name", CROSSED)
def test_counts_of_crosses(name: str, rows: Rows) -> None:
    ours, theirs = CROSSED[name]
    expected = input_layer(rows, lambda: [fc.indicator_column(theirs())])
    np.testing.assert_array_equal(dense((Indicator(ours),), rows), expected)


@pytest.mark.parametrize("max_norm", [None, 1.5])
@pytest.mark.parametrize("combiner", ["mean", "sum", "sqrtn"])
@pytest.mark.parametrize("name", ["identities with default", "words", "many words", "many words with buckets"])
def test_embeddings(name: str, combiner: Any, max_norm: float | None, rows: Rows) -> None:
    ours, theirs = CATEGORICAL[name]
    values = table(ours.cardinality(STATISTICS))
    found = dense((Embedding(ours, 4, combiner, max_norm, nested(values)),), rows)
    initial = tf.constant_initializer(values)
    expected = input_layer(
        rows, lambda: [fc.embedding_column(theirs(), 4, combiner, initializer=initial, max_norm=max_norm)]
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


WEIGHTED = {
    "one": (Weighted(Vocabulary("job", WORDS), "load"), lambda: VOCABULARY("job", WORDS), "load"),
    "many": (Weighted(Vocabulary("tags", WORDS, many=True), "strength"), lambda: VOCABULARY("tags", WORDS), "strength"),
    "hashed": (
        Weighted(HashBucket("tags", 9, many=True), "strength"),
        lambda: fc.categorical_column_with_hash_bucket("tags", 9),
        "strength",
    ),
}


@pytest.mark.parametrize("combiner", ["indicator", "mean", "sum", "sqrtn"])
@pytest.mark.parametrize("name", WEIGHTED)
def test_weights(name: str, combiner: Any, rows: Rows) -> None:
    ours, source, weights = WEIGHTED[name]
    values = table(ours.source.cardinality(STATISTICS))

    def features(rows: Rows) -> dict[str, Any]:
        """TensorFlow wants a weight for each id and no other."""
        found = sparse_features(rows)
        if weights == "load":
            places = found["job"].indices
            found["load"] = tf.SparseTensor(places, tf.gather(rows["load"], places[:, 0]), found["job"].dense_shape)
        return found

    def theirs() -> list[Any]:
        column = fc.weighted_categorical_column(source(), weights)
        if combiner == "indicator":
            return [fc.indicator_column(column)]
        return [fc.embedding_column(column, 4, combiner, initializer=tf.constant_initializer(values))]

    view = Indicator(ours) if combiner == "indicator" else Embedding(ours, 4, combiner, initial=nested(values))
    expected = input_layer(rows, theirs, features)
    np.testing.assert_allclose(dense((view,), rows), expected, rtol=1e-5, atol=1e-6)


def test_shared_embeddings(rows: Rows) -> None:
    values = table(5)
    sources = (Vocabulary("tags", WORDS, many=True), Vocabulary("seen", WORDS, many=True), Vocabulary("job", WORDS))
    views = shared_embeddings(sources, 4, initial=nested(values))
    model_inputs = feature_layers.model_inputs(views)
    sizes = cardinalities(stored(views), STATISTICS)
    model = keras.Model(model_inputs, feature_layers.dense_features(views, model_inputs, sizes, "deep"))
    assert [weight.path for weight in model.weights] == ["deep_job_seen_tags_shared_embedding/embeddings"]

    def theirs() -> np.ndarray:
        columns = fc.shared_embedding_columns(
            [VOCABULARY(name, WORDS) for name in ("tags", "seen", "job")],
            4,
            initializer=tf.constant_initializer(values),
        )
        # Each alone: input_layer sorts by name.
        return tf.concat([fc.input_layer(sparse_features(rows), [column]) for column in columns], axis=1)

    np.testing.assert_allclose(dense(views, rows), run_v1(theirs), rtol=1e-5, atol=1e-6)


def test_numbers_and_arrays(rows: Rows) -> None:
    columns = (
        Numeric("price", "zscore", parameters=(2.0, 3.0)),
        Numeric("vector", "minmax", shape=(3,), parameters=(-1.0, 4.0)),
        Bucketized(Numeric("vector", shape=(3,)), (-1.0, 0.0, 2.5)),
        PRICE_BUCKETS,
    )

    def theirs() -> list[Any]:
        return [
            fc.numeric_column("price", normalizer_fn=lambda x: (x - 2) / 3),
            fc.numeric_column("vector", 3, normalizer_fn=lambda x: (x + 1) / 5),
            fc.bucketized_column(VECTOR, [-1.0, 0.0, 2.5]),
            fc.bucketized_column(PRICE, [-10.1, 0.0, 0.1]),
        ]

    expected = np.concatenate([input_layer(rows, lambda at=at: [theirs()[at]]) for at in range(4)], axis=1)
    np.testing.assert_allclose(dense(columns, rows), expected, rtol=1e-6, atol=1e-6)


LINEAR = {
    "price": (Numeric("price"), lambda: PRICE),
    "vector": (Numeric("vector", shape=(3,)), lambda: VECTOR),
    "price_bucketized": (PRICE_BUCKETS, lambda: fc.bucketized_column(PRICE, [-10.1, 0.0, 0.1])),
    "job": (Vocabulary("job", WORDS, unseen_buckets=2), lambda: VOCABULARY("job", WORDS, num_oov_buckets=2)),
    "codes": (HashBucket("codes", 6, many=True), lambda: fc.categorical_column_with_hash_bucket("codes", 6, tf.int64)),
    "tags_weighted_by_strength": (
        WEIGHTED["many"][0],
        lambda: fc.weighted_categorical_column(VOCABULARY("tags", WORDS), "strength"),
    ),
    "job_X_tags": (CROSSED["many with one"][0], CROSSED["many with one"][1]),
}


@pytest.mark.parametrize("units", [1, 3])
@pytest.mark.parametrize("combiner", ["sum", "mean", "sqrtn"])
def test_linear_models(combiner: str, units: int, rows: Rows) -> None:
    columns = tuple(ours for ours, _ in LINEAR.values())
    sizes = cardinalities(stored(columns), STATISTICS)
    inputs = feature_layers.model_inputs(columns)
    model = keras.Model(inputs, feature_layers.linear_logit(columns, inputs, sizes, "wide", units, combiner))
    weights = {weight.path: table(*weight.shape) for weight in model.weights}
    for weight in model.weights:
        weight.assign(weights[weight.path])
    found = model(transformed(columns, rows)).numpy()

    expected = np.zeros((len(rows["job"]), units), np.float32)
    at = {"wide_weights/embeddings": 0, "wide_numbers/kernel": 0}
    for column, theirs in LINEAR.values():
        path = "wide_numbers/kernel" if isinstance(column, Numeric) else "wide_weights/embeddings"
        source = column.source if isinstance(column, Weighted) else column
        size = sizes.get(source.name) or (3 if column.name == "vector" else 1)
        mine = weights[path][at[path] : at[path] + size]
        at[path] += size

        def assign(session: Any, mine: np.ndarray = mine) -> None:
            kernel, _ = tf.compat.v1.global_variables()  # weights of the column, then the bias
            kernel.load(mine, session)

        expected += run_v1(
            lambda theirs=theirs: fc.linear_model(
                sparse_features(rows), [theirs()], units=units, sparse_combiner=combiner
            ),
            assign,
        )
    expected += weights["wide_weights/embeddings"][-1]
    np.testing.assert_allclose(found, expected[:, 0] if units == 1 else expected, rtol=1e-4, atol=2e-5)


def test_sequences(rows: Rows) -> None:
    """TensorFlow wants sequences of one length, so these have no missing steps at the end of a row."""
    rows = {**rows, "seen": [[text or "red" for text in row] for row in rows["seen"]]}
    values = table(5)
    words = Vocabulary("seen", WORDS, many=True)
    columns = (Indicator(words), Numeric("pulse", many=True), Embedding(words, 4, initial=nested(values)))
    inputs = feature_layers.model_inputs(columns)
    outputs = feature_layers.sequence_features(columns, inputs, cardinalities(stored(columns), STATISTICS), "steps")
    found, lengths = keras.Model(inputs, outputs)(transformed(columns, rows))

    def theirs() -> Any:
        features = sparse_features(rows)
        source = sfc.sequence_categorical_column_with_vocabulary_list("seen", WORDS)
        initial = tf.constant_initializer(values)
        parts = [
            column._get_sequence_dense_tensor(fc_v1._LazyBuilder(features))
            for column in (fc.indicator_column(source), fc.embedding_column(source, 4, initializer=initial))
        ]
        number = sfc.sequence_numeric_column("pulse")
        parts.insert(1, number.get_sequence_dense_tensor(fc_v2.FeatureTransformationCache(features), None))
        return tf.concat([part.dense_tensor for part in parts], axis=-1), parts[0].sequence_length

    expected, expected_lengths = run_v1(theirs)
    np.testing.assert_array_equal(lengths, expected_lengths)
    np.testing.assert_array_equal(lengths, [len(row) for row in rows["seen"]])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_sequences_of_different_length_end_where_the_longest_does() -> None:
    rows = {**random_rows(2, 0), "seen": [["red"], ["blue", "unseen", ""]], "pulse": [[1.0, 2.0, None], []]}
    columns = (Numeric("pulse", default=9.0, many=True), Indicator(Vocabulary("seen", ("red", "blue"), many=True)))
    inputs = feature_layers.model_inputs(columns)
    outputs = feature_layers.sequence_features(columns, inputs, {"seen": 2}, "steps")
    found, lengths = keras.Model(inputs, outputs)(transformed(columns, rows))
    np.testing.assert_array_equal(lengths, [2, 2])
    np.testing.assert_array_equal(found, [[[1, 1, 0], [2, 0, 0]], [[0, 0, 1], [0, 0, 0]]])


def test_a_batch_of_empty_rows() -> None:
    """No value in any row: the tensors have no width at all."""
    rows = {**random_rows(2, 0), "seen": [[], []], "pulse": [[], []]}
    words, pulse = Vocabulary("seen", WORDS, many=True), Numeric("pulse", many=True)
    inputs = feature_layers.model_inputs((words, pulse))
    steps, lengths = feature_layers.sequence_features((pulse, Embedding(words, 4)), inputs, {"seen": 5}, "steps")
    dense = feature_layers.dense_features((Indicator(words), Embedding(words, 4)), inputs, {"seen": 5}, "deep")
    linear = feature_layers.linear_logit((words,), inputs, {"seen": 5}, "wide")
    model = keras.Model(inputs, [steps, lengths, dense, linear])
    model.get_layer("wide_weights").set_weights([np.full((6, 1), 3.0)])
    for call in (model, tf.function(model)):
        steps, lengths, dense, linear = call(transformed((words, pulse), rows))
        assert (steps.shape, lengths.numpy().tolist()) == ((2, 0, 5), [0, 0])
        np.testing.assert_array_equal(dense, np.zeros((2, 9)))
        np.testing.assert_array_equal(linear, [3, 3])  # the bias


TEXT = st.one_of(st.sampled_from([*TEXTS, ""]), st.text(max_size=3).filter(lambda text: "\0" not in text))
NUMBER = st.one_of(st.integers(-3, 12), st.integers(-(2**40), 2**40))


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(TEXT, st.lists(TEXT, max_size=4), st.lists(NUMBER, max_size=4)), min_size=1, max_size=6))
def test_whatever_comes(drawn: list[tuple[str, list[str], list[int]]]) -> None:
    """All kinds of ids at once, on rows that hypothesis thinks up."""
    rows = random_rows(len(drawn), 1)
    rows |= {"job": [row[0] for row in drawn], "tags": [row[1] for row in drawn], "codes": [row[2] for row in drawn]}
    pairs = [CATEGORICAL[name] for name in ("many words with buckets", "identities with default")]
    pairs += [CATEGORICAL["hashed"], CROSSED["many"]]
    found = dense(tuple(Indicator(ours) for ours, _ in pairs), rows)
    expected = [input_layer(rows, lambda theirs=theirs: [fc.indicator_column(theirs())]) for _, theirs in pairs]
    np.testing.assert_array_equal(found, np.concatenate(expected, axis=1))


def test_documented_numbers() -> None:
    """Numbers printed in TensorFlow's documentation, or measured with its columns."""
    rows = random_rows(7, 0)
    rows["year"] = [1959, 1960, 1979, 1980, 1999, 2000, 2001]
    years = dense((Bucketized(Numeric("year"), (1960, 1980, 2000)),), rows)
    np.testing.assert_array_equal(years.argmax(axis=1), [0, 1, 1, 2, 2, 3, 3])
    rows["tags"] = [["sports", "electronics"], ["sports", "sports", "electronics"], ["unknown"], *[[]] * 4]
    rows["strength"] = [[0.5, 2.0], [1, 1, 1], [3], *[[]] * 4]
    products = Vocabulary("tags", ("kitchenware", "electronics", "sports"), many=True)
    vectors = dense((Embedding(products, 2, initial=((1, 2), (3, 4), (5, 6))),), rows)
    np.testing.assert_allclose(vectors[:3], [[4, 5], [13 / 3, 16 / 3], [0, 0]], rtol=1e-6)
    np.testing.assert_array_equal(dense((Indicator(products),), rows)[:3], [[0, 1, 1], [0, 1, 2], [0, 0, 0]])
    weighted = dense((Indicator(Weighted(products, "strength")),), rows)
    np.testing.assert_array_equal(weighted[:3], [[0, 2.0, 0.5], [0, 1, 2], [0, 0, 0]])
    rows["job"] = ["kitchenware", "sports", "Exec-managerial", "7", "123", "", "x"]
    hashed = transformed((HashBucket("job", 100),), rows)["job"]
    np.testing.assert_array_equal(hashed[:6], [96, 92, 0, 88, 31, -1])
