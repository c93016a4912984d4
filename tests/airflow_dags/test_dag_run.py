"""The daily DAG begins on real files, in one process; `test_airflow_for_real.py` has the rest, and the faults."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from emberline.pipelines.runtime.code_archive import bundle

ROOT = Path(__file__).parents[2]
DAG = "emberline_census_wide_deep"
DAY = "20260102"


def test_dag_begins_on_real_files(airflow: Any, census: Path, tmp_path: Path) -> None:
    raw, code, root = tmp_path / "raw", tmp_path / "code", tmp_path / "root"
    (raw / DAY).mkdir(parents=True)
    # The test file opens with a comment line.
    for name, lines in (("adult.data", 600), ("adult.test", 301)):
        (raw / DAY / name).write_text("".join((census / name).read_text().splitlines(keepends=True)[:lines]))
    shutil.copytree(ROOT / "jobs", code / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    bundle(str(code / "emberline.zip"))
    here = Path(sys.executable).parent  # not resolved: the environment is where the link lies
    env = {
        "AIRFLOW_CONN_EMBERLINE_SPARK": json.dumps({"conn_type": "spark", "host": "local[2]"}),
        "AIRFLOW_VAR_EMBERLINE_CODE": str(code),
        "AIRFLOW_VAR_EMBERLINE_ROOT": str(root),
        "AIRFLOW_VAR_EMBERLINE_MLFLOW": f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}",
        "AIRFLOW_VAR_EMBERLINE_CENSUS_RAW": str(raw),
        "PATH": os.pathsep.join([str(here), os.environ["PATH"]]),
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
        "SPARK_LOCAL_IP": "127.0.0.1",
    }
    airflow.python("-m", "airflow", "db", "migrate", env=env, log="migrate.log")

    ran = airflow.ask(
        "run", env=env, dag_id=DAG, until="etl", when="2026-01-02T00:00:00+00:00",
        conf={"overrides": ["preparation.shards=2"]},
    )  # fmt: skip

    log = (airflow.home / "run.log").read_text()
    assert {name: task["state"] for name, task in ran["tasks"].items()} == {"validate": "success", "etl": "success"}, (
        log
    )
    print("\nseconds:", {name: round(task["seconds"]) for name, task in ran["tasks"].items()}, round(ran["seconds"]))
    version = root / "datasets" / DAG / "census_wide_deep" / f"{DAY}T000000"
    assert (version / "_SUCCESS").exists()
    assert json.loads((version / "manifest.json").read_text())["rows_read"] == 900
    seen = [json.loads(file.read_text()) for file in (root / "submissions" / DAG).rglob("*.json")]
    assert [(one["code"], one["reported"]) for one in seen] == [(0, True)] * 2
