"""Raw data held against its recipe, as `etl` does it, with a report in place of a dataset version."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import SparkSession

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.profile.page import PROFILE
from emberline.features.validation.anomalies import AnomalyError
from emberline.features.validation.checks import Anomaly
from emberline.pipelines.datasets.readers.tables.table_format import TableFormat
from emberline.pipelines.datasets.readers.tables.versioned.version import pinned, places
from emberline.pipelines.preparation.checked_data import CHECKED, CheckedData, check_data
from emberline.pipelines.preparation.profile import earlier_version, profile_page
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.output_folder import REPORT as REPORT_FOLDER
from emberline.pipelines.runtime.output_folder import new_folder
from emberline.pipelines.runtime.progress import Progress, StageProgress
from emberline.pipelines.runtime.version import code_version
from emberline.pipelines.tracking import Run, Tracker

REPORT = "report.json"


@dataclass(frozen=True)
class ValidateResult:
    """Data that its recipe accepts.

    Args:
        report: URI of the folder with `report.json`, `profile.html`, and `rejected/` if rows were put aside.
        rows_read: Raw rows.
        rows_rejected: Rows that `etl` would put aside.
        reasons: The most frequent reasons with their counts.
        anomalies: What is not as the recipe expects, none of it a reason to stop.
    """

    report: str
    rows_read: int
    rows_rejected: int
    reasons: dict[str, int]
    anomalies: tuple[Anomaly, ...]


def validate_data(
    spark: SparkSession,
    recipe: Recipe,
    source: str,
    output: str,
    tracker: Tracker,
    *,
    overwrite: bool = False,
    previous: str | None = None,
    form: TableFormat | None = None,
) -> ValidateResult:
    """Checks raw data and writes the report, whether the data is good or not.

    Args:
        spark: The session.
        recipe: Dataset, columns and expectations.
        source: URI of the raw files, or the address of a table.
        output: URI of the report's folder.
        tracker: Where the run is recorded.
        overwrite: Replace a report that is already there.
        previous: URI of a dataset version to compare the data with.
        form: How the raw files are written, where the data set does not say it.

    Raises:
        AnomalyError: if the data as a whole is not what the recipe expects, in one line.
        BadInputError: if there is nothing to read, or every row of a split is rejected.
    """
    source = pinned(spark, source)
    progress, params = Progress("validate"), {"source": source, "output": output, "previous": previous or ""}
    reads = {**places(spark, source), "--previous": previous}
    keep = f"{output.rstrip('/')}.undelivered"
    about = {"emberline.source": source}
    with tracker.step(recipe.name, "validate", spark=spark, keep=keep, params=params, tags=about) as run:
        with new_folder(output, REPORT_FOLDER, overwrite=overwrite, reads=reads) as made:
            checked = check_data(spark, recipe, source, made.staging, progress, form)
            report, problem = _look(spark, recipe, checked, source, made.staging, output, previous, progress)
            storage.delete(storage.join(made.staging, CHECKED))
            storage.write_text_atomic(storage.join(made.staging, REPORT), json.dumps(report, indent=2))
            made.publish()
        _tell(run, report, output)
        if problem:
            raise problem
    progress.say(f"{checked.rows_read:,} rows are as expected, {checked.rows_rejected:,} would be put aside")
    anomalies = tuple(Anomaly(**one) for one in report["anomalies"])
    return ValidateResult(output, checked.rows_read, checked.rows_rejected, checked.reasons, anomalies)


def _look(
    spark: SparkSession,
    recipe: Recipe,
    checked: CheckedData,
    source: str,
    staging: str,
    output: str,
    previous: str | None,
    progress: Progress,
) -> tuple[dict[str, Any], BadInputError | None]:
    """The report, and why the data is refused if it is; the page and the rejected rows are staged."""
    synthetic = checked.dataset.synthetic(source)
    report: dict[str, Any] = {
        "recipe": recipe.name,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "code_version": code_version(),
        "source": {"uri": source, "synthetic": asdict(synthetic) if synthetic else None},
        "rows_read": checked.rows_read,
        "rows_rejected": checked.rows_rejected,
        "reasons": checked.reasons,
        "anomalies": [],
    }
    try:
        checked.require_good_rows()
    except BadInputError as error:  # of such data there is nothing more to tell
        return report | {"accepted": False, "refused": str(error)}, error
    earlier = earlier_version(previous, "") if previous else None
    with StageProgress(spark.sparkContext, progress, "statistics"):
        learned = checked.learn(staging)
    anomalies = checked.anomalies(learned, recipe, earlier)
    for anomaly in anomalies:
        progress.say(f"{anomaly.severity}: {anomaly}")
    report["anomalies"] = [asdict(anomaly) for anomaly in anomalies]
    page = profile_page(checked.schema, learned, earlier, anomalies, report, output)
    storage.write_text_atomic(storage.join(staging, PROFILE), page)
    problem = _refusal(anomalies, output)
    return report | {"accepted": problem is None, "refused": str(problem or "")}, problem


def _refusal(anomalies: tuple[Anomaly, ...], output: str) -> AnomalyError | None:
    stopping = [anomaly for anomaly in anomalies if anomaly.severity == "stop"]
    if not stopping:
        return None
    listed = "; ".join(
        f"{one.kind} {one.field or one.split}: {one.observed}, expected {one.expected}" for one in stopping
    )
    return AnomalyError(f"the data is not as its recipe expects: {listed}. See {storage.join(output, PROFILE)}")


def _tell(run: Run, report: dict[str, Any], output: str) -> None:
    rows = {"rows_read": report["rows_read"], "rows_rejected": report["rows_rejected"]}
    run.log_metrics(rows | {"anomalies": len(report["anomalies"])})
    run.log_tags({"emberline.accepted": str(report["accepted"]).lower()})
    for file in (REPORT, PROFILE):
        run.log_files(storage.join(output, file))
