"""What the log of a failed task ends with: the job's last line, and where its MLflow run is."""

import json
import logging
from typing import Any

log = logging.getLogger("emberline")


def report_failure(context: Any) -> None:
    """Reports a failed task as its `on_failure_callback`: called once, when no retry is left or none would help."""
    ti = context["ti"]
    outcome = ti.xcom_pull(task_ids=ti.task_id, key="outcome", map_indexes=ti.map_index)
    if not outcome:
        log.error("%s.%s failed before its job could say anything: %s", ti.dag_id, ti.task_id, context.get("exception"))
        return
    log.error("%s.%s failed. Last line of its job: %s", ti.dag_id, ti.task_id, json.dumps(outcome))
    if run := outcome.get("mlflow_run"):
        log.error("MLflow run: %s", run_page(context["var"]["value"].emberline_mlflow, run))


def run_page(tracking_uri: str, run_id: str) -> str:
    """Returns the address of the run's page, or for a store without a server what to look for."""
    if tracking_uri.startswith("http"):
        return f"{tracking_uri.rstrip('/')}/#/runs/{run_id}"
    return f"{run_id} in {tracking_uri}"
