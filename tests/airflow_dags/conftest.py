"""Airflow lives in an environment of its own: these tests ask it through `airflow_side.py`, a process each."""

import json
import os
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "airflow_dags"
PYTHON = Path(os.environ.get("EMBERLINE_AIRFLOW_PYTHON") or ROOT / ".venv-airflow" / "bin" / "python")

DEPLOYMENT = {
    "AIRFLOW_CONN_EMBERLINE_SPARK": json.dumps({"conn_type": "spark", "host": "spark://master:7077"}),
    "AIRFLOW_VAR_EMBERLINE_CODE": "/opt/emberline",
    "AIRFLOW_VAR_EMBERLINE_ROOT": "hdfs:///emberline",
    "AIRFLOW_VAR_EMBERLINE_MLFLOW": "http://mlflow:5000",
    "AIRFLOW_VAR_EMBERLINE_CENSUS_RAW": "hdfs:///raw/census",
}
"""What `spark_job.py` asks of a deployment, as Airflow takes it from the environment."""


@dataclass(frozen=True)
class Airflow:
    """An Airflow with a home folder of its own."""

    home: Path

    def environment(self, extra: dict[str, str]) -> dict[str, str]:
        """Nothing of the test's own environment but where programs and Java are: no PYTHONPATH, no SPARK_HOME."""
        kept = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "JAVA_HOME") if name in os.environ
        }
        return {
            **kept,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.home / 'airflow.db'}",
            **extra,
        }

    def python(self, *arguments: str, env: dict[str, str] | None = None, seconds: int = 120) -> str:
        """Runs Airflow's Python; its output.

        Raises:
            AssertionError: if it fails, with the end of its output.
        """
        done = subprocess.run(
            [str(PYTHON), *arguments], env=self.environment(env or {}), cwd=self.home, timeout=seconds,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-6000:]
        return done.stdout

    def ask(self, command: str, *, env: dict[str, str] | None = None, seconds: int = 120, **request: Any) -> Any:
        """The answer of one function of `airflow_side.py`; `seconds` is when to give up, not what to expect."""
        answer = self.home / f"{uuid.uuid4().hex}.json"
        request = {"folder": str(DAGS), **request}
        script = str(Path(__file__).with_name("airflow_side.py"))
        output = self.python(script, command, str(answer), json.dumps(request), env=env or DEPLOYMENT, seconds=seconds)
        (self.home / f"{command}.log").write_text(output)
        return json.loads(answer.read_text())


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """Airflow, if it is installed."""
    if not PYTHON.exists():
        pytest.skip(f"no Airflow at {PYTHON}: run `make setup-airflow`, or set EMBERLINE_AIRFLOW_PYTHON")
    return Airflow(tmp_path_factory.mktemp("airflow"))


@pytest.fixture
def deployment() -> dict[str, str]:
    """A complete deployment, to take something away from."""
    return dict(DEPLOYMENT)
