"""Whether rows to score look like the rows a model was trained on: measured at every scoring, never assumed."""

import dataclasses
import json
from pathlib import Path

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from features.analysis.analyze import analyze
from features.schema import Schema
from features.statistics import Statistics
from features.validation.anomalies import scoring_skew
from features.validation.checks import Anomaly, SplitFacts
from features.validation.rows import REASON, fault_counts, masked_reason
from pipelines.recipe import Recipe

SAMPLE_ROWS = 100_000
"""About so many rows are compared, chosen by a hash of their key: a share is then off by 0.003 at most, mostly."""


def training_statistics(model: str) -> Statistics:
    """The statistics that travel with a model.

    Args:
        model: Local SavedModel folder with its `features.json`.
    """
    return Statistics.from_json(json.loads((Path(model) / "features.json").read_text())["statistics"])


def measure_skew(
    checked: DataFrame, rows: int, training: Statistics, schema: Schema, recipe: Recipe, columns: list[str], folder: str
) -> tuple[Anomaly, ...]:
    """What is unusual about scored rows. All of it is a warning: predictions for good rows are not held back.

    Args:
        checked: Rows to score, as `check_rows` leaves them; read twice, so persist them.
        rows: How many of them are good.
        training: What the model saw.
        schema: The fields it asks for.
        recipe: Its limits.
        columns: Columns of the raw rows.
        folder: URI of a folder for passing files.
    """
    share = min(1.0, SAMPLE_ROWS / max(rows, 1))
    good = checked.where(F.col(REASON).isNull())
    if share < 1:
        good = good.where(F.pmod(F.xxhash64(schema.key), F.lit(1_000_000)) < int(share * 1_000_000))
    bad = checked.where(F.col(REASON).isNotNull()).groupBy(masked_reason()).count().collect()
    # The sample stands for all rows; what was rejected shrinks with it.
    reasons = {row[0]: round(row[1] * share) for row in bad}
    facts = SplitFacts(analyze(good, schema, folder), sum(reasons.values()), fault_counts(reasons, schema), columns)
    return scoring_skew(training, facts, schema, dataclasses.replace(recipe.expectations, stop=()))
