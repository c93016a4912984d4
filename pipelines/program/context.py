"""What a custom program can ask of the rank that it runs in."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from emberline.features import storage
from emberline.features.dataset_version import open_version
from emberline.features.errors import BadInputError
from emberline.features.parquet import open_parquet
from emberline.pipelines.program.assignment import Assignment

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

TEXT_LIMIT = 2_000
"""Characters of a line that is sent to the driver."""

ROWS_AT_A_TIME = 4_096


class Context:
    """The place of one rank; the names of TensorFlowOnSpark's context mean what they mean there.

    Attributes:
        job_name: `chief`, `worker` or `ps`.
        task_index: Counted from 0 within the job.
        worker: This rank's share of the data, counted from 0; the chief has the first.
        num_workers: How many shares there are.
        cluster_spec: Addresses by job, as in `TF_CONFIG`, which is set.
        output: Folder of what the program makes: a path, or a URI of a storage that is not mounted.
        checkpoints: Folder below it that outlives restarts.
        arguments: What was passed to `distribute`.
    """

    def __init__(self, assignment: Assignment, report: Callable[[dict[str, Any]], None]) -> None:
        config = json.loads(os.environ["TF_CONFIG"])
        self.job_name: str = config["task"]["type"]
        self.task_index: int = config["task"]["index"]
        self.cluster_spec: dict[str, list[str]] = config["cluster"]
        self.arguments = assignment.arguments
        self.num_workers = assignment.workers
        self.worker = 0 if self.job_name == "chief" else self.task_index + (not assignment.parameter_servers)
        self._dataset = assignment.dataset
        self._rows = assignment.rows
        self._report = report
        self.output = _path(assignment.output)
        self.checkpoints = _path(storage.join(assignment.output, "checkpoints"))
        storage.make_dirs(storage.join(assignment.output, "checkpoints"))

    @property
    def is_chief(self) -> bool:
        """Whether this rank writes what is written once."""
        return self.job_name == "chief"

    def say(self, text: str) -> None:
        """Sends a line to the person at the driver; what the chief prints arrives there too."""
        self._report({"event": "said", "text": text[:TEXT_LIMIT]})

    def log_metrics(self, metrics: Mapping[str, float], step: int = 0) -> None:
        """Logs metrics of the program's MLflow run; only the chief's are kept."""
        if self.is_chief:
            self._report({"event": "metrics", "values": {name: float(metrics[name]) for name in metrics}, "step": step})

    def batches(
        self, split: str = "train", *, batch_size: int, seed: int | None = 1, epoch: int = 0
    ) -> "tf.data.Dataset":
        """Returns this rank's share of the dataset version that was passed, the same number of batches on every rank.

        Args:
            split: `train` or `eval`.
            batch_size: Rows of one rank's batch.
            seed: Of the order; None for that of the files.
            epoch: Another order for every epoch.

        Returns:
            Pairs of {column: tensor} and label, float32 `[batch]`; of several labels {label: tensor}.

        Raises:
            BadInputError: if no dataset version was passed.
        """
        from emberline.features.tfrecord.input import read_epoch

        if not self._dataset:
            raise BadInputError(
                "The program asks for batches, and was given no dataset version: dataset=…, or --dataset."
            )
        version = open_version(self._dataset)
        shards, labels, key = version.split(split), version.labels, version.schema.key
        wanted = [name for name in shards.schema.names if name != key]
        found = read_epoch(
            storage.join(version.uri, split),
            shards,
            batch_size=batch_size,
            worker=self.worker,
            workers=self.num_workers,
            seed=seed,
            epoch=epoch,
            columns=wanted,
        )
        return found.map(lambda row: features_and_labels(row, labels))

    def shard(self, dataset: "tf.data.Dataset") -> "tf.data.Dataset":
        """Returns this rank's part of a tf.data pipeline, alike on all ranks; use it before shuffle and batch."""
        return dataset.shard(self.num_workers, self.worker)

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Yields this rank's share of the DataFrame that was passed, equally many rows on every rank.

        Raises:
            BadInputError: if no DataFrame was passed.
        """
        if not self._rows:
            raise BadInputError("The program asks for rows, and no DataFrame was passed: distribute(…, rows=frame).")
        files = [item.uri for item in storage.list_files(self._rows) if item.uri.endswith(".parquet")]
        counts = []
        for uri in files:
            with storage.open_random(uri) as stream:
                counts.append(open_parquet(stream).metadata.num_rows)
        share = sum(counts) // self.num_workers
        low, high, before = self.worker * share, (self.worker + 1) * share, 0
        for uri, count in zip(files, counts, strict=True):
            if before < high and before + count > low:
                yield from _between(uri, low - before, high - before)
            before += count

    def get_data_feed(self, epochs: int = 1) -> "DataFeed":
        """Returns `rows` as TensorFlowOnSpark feeds them: lists of tuples, until `should_stop()`."""
        return DataFeed(self.rows, epochs)

    def fit(
        self,
        model: "keras.Model",
        x: "tf.data.Dataset",
        *,
        steps_per_epoch: int,
        epochs: int = 1,
        callbacks: "Sequence[keras.callbacks.Callback]" = (),
    ) -> "keras.callbacks.History":
        """Runs `model.fit` for a model that was built and compiled in the scope of `MultiWorkerMirroredStrategy`.

        Keras 3 has no `fit` under that strategy. Every rank does the same number of steps, on batches of its own;
        gradients are averaged over ranks.

        Args:
            model: Compiled, with its weights made.
            x: This rank's batches of inputs, label and perhaps weight; it must last for all steps (`repeat()`).
            steps_per_epoch: Steps.
            epochs: Passes of so many steps.
            callbacks: As of `fit`.

        Returns:
            Metrics by epoch.
        """
        from emberline.pipelines.program.fit import fit

        return fit(model, x, steps_per_epoch=steps_per_epoch, epochs=epochs, callbacks=[*callbacks, self._metrics()])

    def _metrics(self) -> "keras.callbacks.Callback":
        """Tells the run what each epoch came to."""
        import keras

        return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: self.log_metrics(logs or {}, epoch + 1))


class DataFeed:
    """Rows as lists of tuples, like `tensorflowonspark.TFNode.DataFeed`.

    Args:
        rows: Gives the rows of one pass.
        epochs: Passes.
    """

    def __init__(self, rows: Callable[[], Iterator[pa.RecordBatch]], epochs: int) -> None:
        self._tuples = (row for _ in range(epochs) for batch in rows() for row in zip(*_lists(batch), strict=True))
        self._next: tuple[Any, ...] | None = next(self._tuples, None)

    def should_stop(self) -> bool:
        """Returns whether all rows were taken."""
        return self._next is None

    def next_batch(self, size: int) -> list[tuple[Any, ...]]:
        """Returns up to so many rows."""
        taken: list[tuple[Any, ...]] = []
        while self._next is not None and len(taken) < size:
            taken.append(self._next)
            self._next = next(self._tuples, None)
        return taken

    def terminate(self) -> None:
        """Ends the feed: no more rows are taken."""
        self._next = None


def features_and_labels(row: Mapping[str, Any], labels: Sequence[str]) -> tuple[dict[str, Any], Any]:
    """Returns tensors by name as Keras takes them."""
    features = {name: tensor for name, tensor in row.items() if name not in labels}
    return features, row[labels[0]] if len(labels) == 1 else {name: row[name] for name in labels}


def _lists(batch: pa.RecordBatch) -> list[list[Any]]:
    return [column.to_pylist() for column in batch.columns]


def _between(uri: str, low: int, high: int) -> Iterator[pa.RecordBatch]:
    """Rows of one file from number `low` to before `high`."""
    with storage.open_random(uri) as stream:
        at = 0
        for batch in open_parquet(stream).iter_batches(ROWS_AT_A_TIME):
            first, last = max(low - at, 0), min(high - at, batch.num_rows)
            if first < last:
                yield batch.slice(first, last - first)
            at += batch.num_rows


def _path(uri: str) -> str:
    return storage.local_path(uri) if storage.is_local(uri) else uri
