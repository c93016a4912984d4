"""The small file by which Airflow and a job know one submission; the job's side is `--submission`.

Whatever Airflow can open will do as its place: a path that is mounted everywhere, or a store that one of Airflow's
providers knows (`s3://`, `gs://`, `abfs://`). Airflow only reads it, but for the word that it has seen the end.
"""

import json
import time
from dataclasses import asdict, dataclass
from typing import Any

from airflow.sdk.exceptions import AirflowException

GAP_SECONDS = 0.5
"""HDFS replaces a file in two moves; between them it is not there."""


@dataclass(frozen=True)
class Submission:
    """What the file says; written by `pipelines/runtime/submission.py`, whose words these are.

    Args:
        holder: The process that runs the job.
        beat: Rises while it lives.
        code: Its exit code, once it has ended.
        line: Its last line, once it has ended.
        reported: Airflow has seen the end.
    """

    holder: str
    beat: int
    code: int | None
    line: dict[str, Any] | None
    reported: bool

    @property
    def running(self) -> bool:
        """Whether nobody has noted an end; the process may be dead all the same."""
        return self.code is None

    @property
    def unseen_success(self) -> bool:
        """Whether the job has succeeded and Airflow does not know."""
        return self.code == 0 and not self.reported


def read(uri: str) -> Submission | None:
    """Returns what the file says; None if there is none.

    Raises:
        AirflowException: if Airflow cannot open such a place.
    """
    try:
        path = _path(uri)
        try:
            text = path.read_text()
        except FileNotFoundError:
            time.sleep(GAP_SECONDS)
            text = path.read_text()
    except FileNotFoundError:
        return None
    except (ImportError, ValueError, OSError) as error:
        raise AirflowException(
            f"Airflow cannot open {uri}: {error}. Set the variable emberline_submissions to a folder or URI that "
            "Airflow and the jobs can both open."
        ) from error
    return Submission(**json.loads(text))


def mark_reported(uri: str, seen: Submission) -> None:
    """Marks a submission as reported: from now on it runs again."""
    _path(uri).write_text(json.dumps({**asdict(seen), "reported": True}))


def forget(uri: str) -> None:
    """Removes the file of a silent runner; should it wake, it finds its name gone and ends itself."""
    _path(uri).unlink(missing_ok=True)


def _path(uri: str) -> Any:
    from airflow.sdk import ObjectStoragePath  # a quarter of a second that no DAG file should wait for

    return ObjectStoragePath(uri if "://" in uri else f"file://{uri}")
