"""Which day the clock's runs are about, by Airflow's own timetables: the one that has ended, and no other."""

from typing import Any

DAILY = "emberline_census_wide_deep"


def test_the_clocks_run_is_about_the_day_that_has_ended(airflow: Any) -> None:
    """A run that starts at midnight of the third finds the folder of the second."""
    for dag in (DAILY, f"{DAILY}_incremental"):
        found = airflow.ask("next_run", dag_id=dag, after="2026-01-02T00:00:00+00:00")
        assert found == {"logical_date": "2026-01-02", "run_after": "2026-01-03T00:00:00+00:00", "day": "20260102"}
