"""Raw data looked at before anything is made of it: every row against the schema, then the data set as a whole.

`etl` and `validate` see the same data with the same eyes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.analysis.analyze import analyze
from emberline.features.columns import check, sized
from emberline.features.dataset_version import REJECTED, DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Need, Statistics
from emberline.features.validation.anomalies import validate
from emberline.features.validation.checks import Anomaly, SplitFacts
from emberline.features.validation.rows import RAW, REASON, SOURCE, check_rows, fault_counts, reason_of
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.source_format import of_source
from emberline.pipelines.preparation.checked_rows import CheckedRows
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.progress import Progress, StageProgress
from emberline.pipelines.runtime.shipping import ship_projects

if TYPE_CHECKING:
    from emberline.pipelines.datasets.readers.raw_table import Dataset

SPLITS = ("train", "eval")
CHECKED = "checked"
"""Folder of the checked rows below the staging folder."""
REASONS_KEPT = 20
"""Most frequent rejection reasons that a manifest or a report lists."""


@dataclass(frozen=True)
class CheckedData:
    """The rows of every split, looked at one by one, and staged.

    Args:
        dataset: Where they came from.
        schema: The fields that the recipe reads.
        splits: The staged rows.
        columns: Columns that the raw rows have, by split.
    """

    dataset: "Dataset"
    schema: Schema
    splits: Mapping[str, CheckedRows]
    columns: Mapping[str, Sequence[str]]

    @cached_property
    def rows_rejected(self) -> int:
        """Rows put aside."""
        return sum(sum(rows.reasons.values()) for rows in self.splits.values())

    @cached_property
    def rows_read(self) -> int:
        """Raw rows."""
        return self.rows_rejected + sum(rows.good_rows for rows in self.splits.values())

    @property
    def reasons(self) -> dict[str, int]:
        """The most frequent reasons of all splits with their counts."""
        return _commonest([rows.reasons for rows in self.splits.values()])

    def require_good_rows(self) -> None:
        """Refuses a split without a single good row: nothing can be learned of it.

        Raises:
            BadInputError: with the commonest reasons.
        """
        for split, rows in self.splits.items():
            _require_good_rows(split, rows.good_rows, rows.reasons)

    def learn(self, folder: str, needs: Iterable[Need] = ()) -> dict[str, Statistics]:
        """Computes the statistics of each split; there must be good rows in both.

        Args:
            folder: URI of the folder that takes the vocabulary files.
            needs: What columns ask of the training split.
        """
        train = analyze(self.splits["train"].stored, self.schema, folder, needs)
        return {"train": train, "eval": analyze(self.splits["eval"].stored, self.schema, folder)}

    def anomalies(
        self, learned: Mapping[str, Statistics], recipe: Recipe, earlier: DatasetVersion | None
    ) -> tuple[Anomaly, ...]:
        """Returns the anomalies: where the data differs from what the recipe expects.

        Args:
            learned: What `learn` gave.
            recipe: Its expectations.
            earlier: The dataset version before this one.

        Raises:
            BadInputError: if an expectation is about a field that nobody knows.
        """
        facts = {
            split: SplitFacts(
                learned[split], sum(rows.reasons.values()), fault_counts(rows.reasons, self.schema), self.columns[split]
            )
            for split, rows in self.splits.items()
        }
        before = earlier.statistics if earlier else None
        return validate(facts, self.schema, recipe.expectations, before, self.dataset.schema.names)


def check_data(
    spark: SparkSession,
    recipe: Recipe,
    source: str,
    staging: str,
    progress: Progress,
    form: TableFormat | None = None,
) -> CheckedData:
    """Checks every raw row, and stages good and bad ones below `staging`; the bad ones in `rejected` too.

    Args:
        spark: The session.
        recipe: Dataset and columns.
        source: URI of the raw files, or the address of a table.
        staging: URI of a folder for passing files.
        progress: Where it is reported.
        form: How the raw files are written, where the data set does not say it.

    Raises:
        BadInputError: if there is nothing to read, or the recipe's columns do not fit the data set.
    """
    dataset = of_source(load_dataset(recipe.dataset), source, form)
    ship_projects(spark, *recipe.modules)
    columns = recipe.stored_columns
    schema = sized(columns, dataset.schema.subset({field for column in columns for field in column.fields}))
    check(columns, schema)
    raw = {split: dataset.read(spark, source, split) for split in SPLITS}
    with StageProgress(spark.sparkContext, progress, "validate"):
        splits = {
            split: CheckedRows.write(check_rows(rows, schema, labelled=True), storage.join(staging, CHECKED, split))
            for split, rows in raw.items()
        }
        found = CheckedData(dataset, schema, splits, {split: rows.columns for split, rows in raw.items()})
        for split, rows in splits.items():
            _write_rejected(rows, split, storage.join(staging, REJECTED))
    return found


def _require_good_rows(split: str, good: int, reasons: dict[str, int]) -> None:
    if good:
        return
    if not reasons:
        raise BadInputError(f"The {split} split has no rows. Check that its file holds data in the documented format.")
    listed = "; ".join(f"{reason} ({count:,} rows)" for reason, count in _commonest([reasons]).items())
    raise BadInputError(
        f"All {sum(reasons.values()):,} rows of the {split} split were rejected. Commonest reasons: {listed[:1500]}"
    )


def _commonest(counts: list[dict[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for reasons in counts:
        for reason, count in reasons.items():
            total[reason] = total.get(reason, 0) + count
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0]))[:REASONS_KEPT])


def _write_rejected(rows: CheckedRows, split: str, target: str) -> None:
    if rows.bad is not None:
        reason = F.col(reason_of(rows.bad.columns)).alias(REASON)
        columns = [F.lit(split).alias("split"), reason, F.col(RAW).alias("raw"), F.col(SOURCE).alias("source")]
        rows.bad.select(*columns).coalesce(4).write.mode("append").parquet(target)
