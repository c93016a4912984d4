"""What both opponents of `benchmarks.end_to_end` do alike: training from Parquet with `keras.Model.fit`, and MLflow."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import mlflow
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

COUNTS = tuple(f"I{index}" for index in range(1, 14))
WORDS = tuple(f"C{index}" for index in range(1, 27))
IDS = tuple(f"{name}_id" for name in (*COUNTS, *WORDS))
"""Columns of the prepared rows, int32, beside `label`."""

MODEL = "clicks"
CHUNK = 65_536
"""Rows that are read at a time, and shuffled with each other."""


def network(sizes: Sequence[int]) -> keras.Model:
    """Ids `[batch, 39]` to probabilities `[batch, 1]`.

    Args:
        sizes: Number of ids of each column.
    """
    ids = keras.Input((len(sizes),), dtype="int32")
    vectors = [keras.layers.Embedding(size, 8)(ids[:, index]) for index, size in enumerate(sizes)]
    hidden = keras.layers.Concatenate()(vectors)
    for units in (64, 32):
        hidden = keras.layers.Dense(units, activation="relu")(hidden)
    offsets = np.cumsum([0, *sizes[:-1]], dtype=np.int32)
    weights = keras.layers.Embedding(sum(sizes), 1, embeddings_initializer="zeros")(ids + offsets[None, :])
    logit = keras.layers.Dense(1)(hidden) + keras.ops.sum(weights, axis=1)
    return keras.Model(ids, keras.layers.Activation("sigmoid")(logit))


def chunks(folder: str) -> Iterator[pa.RecordBatch]:
    """Prepared rows."""
    for file in sorted(Path(folder).glob("*.parquet")):
        yield from pq.ParquetFile(file).iter_batches(CHUNK)


def matrix(rows: pa.RecordBatch) -> np.ndarray:
    """Ids of rows, int32 `[rows, 39]`."""
    return np.stack([rows.column(name).to_numpy(zero_copy_only=False) for name in IDS], axis=1).astype(np.int32)


def batches(folder: str, batch: int, *, shuffled: bool) -> tf.data.Dataset:
    """Batches `(ids, label)` of prepared rows."""
    draw = np.random.default_rng(1)

    def arrays() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for rows in chunks(folder):
            order = draw.permutation(len(rows)) if shuffled else np.arange(len(rows))
            yield matrix(rows)[order], rows.column("label").to_numpy().astype(np.float32)[order]

    specs = tf.TensorSpec([None, len(IDS)], tf.int32), tf.TensorSpec([None], tf.float32)
    rows = tf.data.Dataset.from_generator(arrays, output_signature=specs)
    return rows.rebatch(batch, drop_remainder=shuffled).prefetch(tf.data.AUTOTUNE)


def fit(sizes: Sequence[int], prepared: str, told: dict[str, Any]) -> keras.Model:
    """The trained network, evaluated after every epoch."""
    model = network(sizes)
    model.compile(keras.optimizers.Adam(0.001), keras.losses.BinaryCrossentropy())
    model.fit(
        batches(f"{prepared}/day_0", told["batch"], shuffled=True),
        epochs=told["epochs"],
        validation_data=batches(f"{prepared}/day_1", 4096, shuffled=False),
        verbose=0,
    )
    return model


def register(model: keras.Model, prepared: str) -> str:
    """URI of the registered model, which has its area under the ROC curve beside it."""
    from sklearn.metrics import roc_auc_score

    rows = pa.Table.from_batches(chunks(f"{prepared}/day_1"))
    score = np.concatenate([model.predict_on_batch(matrix(part)) for part in rows.to_batches(CHUNK)])
    with mlflow.start_run():
        mlflow.log_metric("auc", float(roc_auc_score(rows["label"].to_numpy(), score[:, 0])))
        logged = mlflow.tensorflow.log_model(model, name="model", registered_model_name=MODEL)
    return f"models:/{MODEL}/{logged.registered_model_version}"
