"""Whether rows to score look like the rows a model was trained on: measured at every scoring, never assumed."""

import dataclasses
from collections.abc import Mapping, Sequence

from pyspark.sql import SparkSession

from emberline.features.analysis.analyze import analyze
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics
from emberline.features.validation.anomalies import scoring_skew
from emberline.features.validation.checks import Anomaly, SplitFacts
from emberline.features.validation.expectations import Expectations
from emberline.features.validation.rows import fault_counts
from emberline.pipelines.scoring.side_files import Samples


def measure_skew(
    spark: SparkSession,
    samples: Samples | None,
    training: Statistics,
    schema: Schema,
    expectations: Expectations,
    columns: Sequence[str],
    reasons: Mapping[str, int],
    folder: str,
) -> tuple[Anomaly, ...]:
    """Returns what is unusual about scored rows. All of it is a warning: predictions of valid rows are not held back.

    Args:
        spark: The session.
        samples: Some of the rows that were scored; None if there were none.
        training: What the model saw.
        schema: The fields it asks for; images are not compared.
        expectations: The limits of its recipe.
        columns: Columns of the raw rows.
        reasons: Rejected rows by masked reason.
        folder: URI of a folder for passing files.
    """
    if samples is None:
        return ()
    schema = schema.values
    # The sample stands for all rows; what was rejected shrinks with it.
    shrunk = {reason: round(rows / 2**samples.level) for reason, rows in reasons.items()}
    facts = SplitFacts(
        analyze(samples.rows(spark), schema, folder),
        sum(shrunk.values()),
        fault_counts(shrunk, schema),
        list(columns),
    )
    return scoring_skew(training, facts, schema, dataclasses.replace(expectations, stop=()))
