"""A dataset version for custom program: its rows as tf.data, Arrow, pandas or a Spark DataFrame."""

import html
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame, SparkSession

from emberline.features import storage
from emberline.features.dataset_rows import arrow_rows, read_version
from emberline.features.dataset_version import DatasetVersion, open_version
from emberline.pipelines.api.notebook import session_or
from emberline.pipelines.etl import EtlResult
from emberline.pipelines.program.context import features_and_labels
from emberline.pipelines.runtime.arguments import location

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    import tensorflow as tf


class Dataset:
    """A complete dataset version; `open_dataset` opens one.

    Args:
        version: Its description.
    """

    def __init__(self, version: DatasetVersion) -> None:
        self.version = version

    @property
    def uri(self) -> str:
        """Its folder."""
        return self.version.uri

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split."""
        return {name: self.version.split(name).rows for name in self.version.manifest["splits"]}

    @property
    def columns(self) -> tuple[str, ...]:
        """What a row has, label and key at the end."""
        return tuple(self.version.split("train").schema.names)

    def to_tf(
        self,
        split: str = "train",
        *,
        batch_size: int = 32,
        seed: int | None = None,
        epoch: int = 0,
        worker: int = 0,
        workers: int = 1,
        drop_remainder: bool = False,
    ) -> "tf.data.Dataset":
        """Returns the batches of one epoch as Keras takes them.

        Args:
            split: `train` or `eval`.
            batch_size: Rows of a batch.
            seed: Shuffles rows, by seed and epoch; None keeps the order of the files.
            epoch: Another order for every epoch.
            worker: Which share of the rows, counted from 0.
            workers: How many shares there are.
            drop_remainder: Leave out what is no whole batch; every share has the same number of batches then.

        Returns:
            Pairs of {column: tensor `[batch, …]`} and label, float32 `[batch]`; of several labels {label: tensor}.
        """
        from emberline.features.tfrecord.input import read_epoch

        labels, key = self.version.labels, self.version.schema.key
        shards = self.version.split(split)
        wanted = [name for name in shards.schema.names if name != key]
        batches = read_epoch(
            storage.join(self.uri, split),
            shards,
            batch_size=batch_size,
            worker=worker,
            workers=workers,
            seed=seed,
            epoch=epoch,
            drop_remainder=drop_remainder,
            columns=wanted,
        )
        return batches.map(lambda row: features_and_labels(row, labels))

    def to_arrow(self, split: str = "train") -> "pa.Table":
        """Returns all rows of a split in this process, key and label among them."""
        return arrow_rows(self.version, split)

    def to_pandas(self, split: str = "train") -> "pd.DataFrame":
        """Returns all rows of a split in this process, key and label among them."""
        frame: pd.DataFrame = self.to_arrow(split).to_pandas()
        return frame

    def to_spark(self, split: str | None = None, spark: SparkSession | None = None) -> DataFrame:
        """Returns the rows of a split, or of all with a column `split`, read by executors."""
        return read_version(session_or(spark), self.uri, split)

    def __repr__(self) -> str:
        return "\n".join(["Dataset", *(f"  {name:<8}  {value}" for name, value in self._facts())])

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th style="text-align:left">{html.escape(name)}</th>'
            f'<td style="text-align:left">{html.escape(value)}</td></tr>'
            for name, value in self._facts()
        )
        return f"<table><caption>Dataset</caption>{rows}</table>"

    def _facts(self) -> list[tuple[str, str]]:
        rows = ", ".join(f"{name} {count:,}" for name, count in self.splits.items())
        named = [f"{item.name}: {item.type}" for item in self.version.split("train").schema]
        source: Any = self.version.manifest["source"]["uri"]
        return [
            ("uri", self.uri),
            ("rows", rows),
            ("columns", ", ".join(named)),
            ("label", ", ".join(self.version.labels)),
            ("source", str(source)),
            ("digest", self.version.digest),
        ]


def open_dataset(dataset: str | EtlResult) -> Dataset:
    """Opens a dataset version.

    Args:
        dataset: What `etl` gave, or a URI.

    Raises:
        DatasetVersionError: if there is no complete version.
    """
    return Dataset(open_version(dataset.dataset if isinstance(dataset, EtlResult) else location(dataset)))
