"""What must be true after a step and after a pipeline, whatever happened on the way; each check returns what is not."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from emberline.features import storage
from tests.chaos.marked import SERVERS, all_listening, wait_until_none

LEFT = (
    r".*\.staging-[0-9a-f]{8}",
    r"\.?.*\.(replaced|copied)-[0-9a-f]{8}",
    r"\..*\.claim",
    r"\..*\.earlier",
    r"\..*\.[0-9a-f]{32}",
    r"_temporary",
)
"""Names of what is there only while somebody writes: staging, what is replaced, claims, files before they are whole."""

KEPT = re.compile(r"_undelivered-(\w+)\.jsonl")
ENDED_SECONDS = 60
"""How long executors, and ranks with TensorFlow in them, may take to notice that their driver is gone."""


def check_keys(what: str, keys: Iterable[Any], rows: int) -> list[str]:
    """Checks that there are as many rows as expected, each with a key of its own.

    Args:
        what: For the message.
        keys: Of the rows that were found.
        rows: How many there should be.
    """
    counted = Counter(keys)
    found, doubled = sum(counted.values()), sum(1 for times in counted.values() if times > 1)
    wrong = [] if found == rows else [f"{what}: {found} rows, expected {rows}"]
    return wrong + ([f"{what}: {doubled} keys occur more than once"] if doubled else [])


def check_dataset(folder: str, rows: int) -> list[str]:
    """Checks that every raw row is in a dataset version or among its rejected ones, once.

    Args:
        folder: The dataset version.
        rows: Raw rows, damaged ones among them.
    """
    from emberline.features.dataset_rows import arrow_rows
    from emberline.features.dataset_version import open_version

    version = open_version(folder)
    read, rejected = version.manifest["rows_read"], version.manifest["rows_rejected"]
    wrong = [] if read == rows else [f"the dataset version read {read} rows, raw are {rows}"]
    keys = [key for split in ("train", "eval") for key in arrow_rows(version, split)[version.schema.key].to_pylist()]
    return wrong + check_keys("the dataset version", keys, rows - rejected)


def check_evaluation(training: str, rows: int) -> list[str]:
    """Checks that every held-out row was scored once.

    Args:
        training: Its folder.
        rows: Held-out rows of its dataset version.
    """
    scored = _table(storage.join(training, "evaluation", "scores.parquet"))
    return check_keys("scores of held-out rows", scored[0].to_pylist(), rows)


def check_predictions(folder: str, rows: int) -> list[str]:
    """Checks that every raw row was predicted or rejected, once.

    Args:
        folder: Predictions.
        rows: Raw rows, damaged ones among them.
    """
    rejected = storage.join(folder, "_rejected")
    aside = _table(rejected).num_rows if storage.is_folder(rejected) else 0
    return check_keys("predictions", _table(folder)[0].to_pylist(), rows - aside)


def check_folder(folder: str) -> list[str]:
    """Checks that nothing is left of writers that were killed.

    Args:
        folder: All outputs of a pipeline, each step of which has ended well.
    """
    patterns = [re.compile(pattern) for pattern in LEFT]
    return [
        f"left behind: {path}"
        for path in _everything(folder)
        if any(one.fullmatch(path.rpartition("/")[2]) for one in patterns)
    ]


def check_kept(folder: str, runs: Iterable[str]) -> list[str]:
    """Checks that what is kept for MLflow belongs to steps that ended well: the next attempt delivers all others.

    Args:
        folder: All outputs of a pipeline.
        runs: MLflow's runs of the steps that ended well.
    """
    known = set(runs)
    kept = [(path, match[1]) for path in _everything(folder) if (match := KEPT.fullmatch(path.rpartition("/")[2]))]
    return [f"kept for an earlier attempt: {path}" for path, run in kept if run not in known]


def kept_places(folder: str) -> list[str]:
    """Returns the folders in which something is kept for MLflow."""
    return sorted(
        {
            storage.join(folder, path.rpartition("/")[0])
            for path in _everything(folder)
            if KEPT.fullmatch(path.rpartition("/")[2])
        }
    )


def check_processes(mark: str, seconds: float = ENDED_SECONDS) -> list[str]:
    """Checks that of all processes of the trial only servers are left.

    Args:
        mark: Folder of the trial.
        seconds: How long the others may take to end.
    """
    return [
        f"an orphan, {one.role}, process {one.pid}, state {one.state}: {_shortened(one.command)}"
        for one in wait_until_none(mark, seconds)
        if one.role not in SERVERS
    ]


def check_ports(seen: Mapping[int, int]) -> list[str]:
    """Checks that no listening socket of the trial is left, once it is over.

    Args:
        seen: Sockets that its processes had: port by inode.
    """
    now = all_listening()
    return [f"port {port} is still listened at" for inode, port in sorted(seen.items()) if now.get(inode) == port]


def check_versions(client: Any, name: str, training: str) -> list[str]:
    """Checks that a training was registered once, and that one version of its model is the champion.

    Args:
        client: MLflow's.
        name: Registered model.
        training: URI of the training.
    """
    versions = client.search_model_versions(f"name = '{name}'")
    made = [int(one.version) for one in versions if one.tags.get("emberline.training") == training]
    wrong = [] if len(made) == 1 else [f"{training} has {len(made)} versions of {name}: {made}, expected one"]
    model = client.get_registered_model(name)
    past = json.loads(model.tags.get("emberline.champions", "[]"))
    champion = int(model.aliases.get("champion", 0))
    if not past or past[-1] != champion:
        wrong.append(f"the champion of {name} is version {champion}, and the list of champions ends otherwise: {past}")
    if len(set(past)) < len(past):
        wrong.append(f"a version of {name} became champion twice: {past}")
    return wrong


def check_runs(client: Any) -> list[str]:
    """Checks that no run of MLflow counts as running, when nothing does.

    Args:
        client: MLflow's.
    """
    experiments = [one.experiment_id for one in client.search_experiments()]
    running = client.search_runs(experiments, "attributes.status = 'RUNNING'") if experiments else []
    return [f"the run {run.info.run_id} ({run.info.run_name}) is still RUNNING" for run in running]


def _everything(folder: str) -> list[str]:
    """Paths of all files and folders below a folder, relative to it."""
    filesystem, path = storage.resolve(folder)
    found = filesystem.get_file_info(pafs.FileSelector(path, recursive=True))
    return sorted(info.path.removeprefix(path).lstrip("/") for info in found)


def _table(place: str) -> pa.Table:
    filesystem, path = storage.resolve(place)
    return pq.read_table(path, filesystem=filesystem)


def _shortened(command: str) -> str:
    return command if len(command) < 300 else f"{command[:100]} … {command[-190:]}"
