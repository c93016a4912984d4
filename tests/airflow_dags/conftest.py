"""Airflow lives in an environment of its own: these tests ask it through `airflow_side.py`, a process each."""

import contextlib
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.airflow_dags.airflow_world import World, open_world

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
    python_program: Path = PYTHON

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

    def python(self, *arguments: str, log: str, env: dict[str, str] | None = None, seconds: int = 300) -> None:
        """Runs Airflow's Python, with its output in the file `log` of the home folder.

        Args:
            arguments: Of Python.
            log: Name of the file.
            env: Further environment.
            seconds: When to give up; nothing is expected to take so long.

        Raises:
            AssertionError: if it fails, with the end of its output.
        """
        output = self.home / log
        with output.open("w") as file:
            process = subprocess.Popen(
                [str(PYTHON), *arguments], env=self.environment(env or {}), cwd=self.home,
                stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(seconds)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # with whatever it submitted
                process.wait(60)
        assert code == 0, output.read_text()[-6000:]

    def ask(self, command: str, *, env: dict[str, str] | None = None, seconds: int = 300, **request: Any) -> Any:
        """The answer of one function of `airflow_side.py`."""
        answer = self.home / f"{uuid.uuid4().hex}.json"
        script = str(Path(__file__).with_name("airflow_side.py"))
        text = json.dumps({"folder": str(DAGS), **request})
        self.python(script, command, str(answer), text, log=f"{command}.log", env=env or DEPLOYMENT, seconds=seconds)
        return json.loads(answer.read_text())


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """Airflow, if it is installed."""
    if not PYTHON.exists():
        pytest.skip(f"no Airflow at {PYTHON}: run `make setup-airflow`, or set EMBERLINE_AIRFLOW_PYTHON")
    return Airflow(tmp_path_factory.mktemp("airflow"))


@pytest.fixture(scope="module")
def world(airflow: Airflow, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One that the tests of a file share."""
    # A world that outlives its tests can be looked at, and gone on with: `-k` chooses the next day.
    folder = Path(os.environ.get("EMBERLINE_TEST_WORLD") or tmp_path_factory.mktemp("world"))
    with open_world(folder, str(airflow.python_program.with_name("airflow"))) as world:
        yield world
