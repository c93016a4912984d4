"""What a step tells MLflow, carried there by a thread: a step never waits for a server, nor fails with it.

What cannot be delivered waits, with growing pauses between tries, and is kept in a file beside the step's output, as
lines of JSON that `upload` delivers later. Every entry may be delivered twice without harm: MLflow keeps a metric once
for its step and time, and the last of equal tags and files.
"""

import contextvars
import json
import tempfile
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, RunTag
from mlflow.tracking import MlflowClient

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.tracking.store import Store, TrackingError, against_others, is_refusal, quoted_text

Entry: TypeAlias = dict[str, Any]
"""`run`, `do` (`metrics`, `tags`, `text`, `files`, `dataset`, `settle` or `end`) and what that takes; plain values."""

KEPT = "_undelivered-"
"""Beginning of the name of a file with entries; Spark's readers skip names that begin so."""

STEP, KEEP = "emberline.step", "emberline.keep"
SHARED, SOURCE = "emberline.shares_output", "emberline.source"
"""A step that says `true` may write its output side by side with others, which read another source."""
"""Tags by which the attempts of one step at one output know each other."""

PAUSES = (1, 2, 4, 8, 15, 30, 60)
"""Seconds between tries; the last is repeated."""

TRIES_ALONE = 3
"""After so many tries an entry is left behind, if the store takes others."""

LAST_SECONDS = 20
"""How long the end of a step waits for a server that does not answer."""

METRICS_AT_ONCE = 1000
TEXT_LIMIT = 5000
"""MLflow's own limits: of a batch of metrics, and of a tag's length."""


class Delivery:
    """The writes of one step, in order.

    Args:
        store: Where they go.
        progress: Where the failure of a server is reported.
        keep: URI of a folder that takes what could not be delivered, made when there is something. Empty for nowhere.
        run: The step's run, which names the file.
    """

    def __init__(self, store: Store, progress: Progress, keep: str, run: str) -> None:
        self._client = store.client
        self._progress = progress
        self._keep = keep
        self._command = f"emberline upload-tracking {keep} --tracking-uri {store.uri}"
        self._file = f"{KEPT}{run}.jsonl"
        before = _kept_at(storage.join(keep, self._file)) if keep else []
        # How an earlier attempt ended is not how this one will.
        self._waiting: deque[Entry] = deque(entry for entry in before if entry["do"] != "end")
        self._refused: list[Entry] = []
        self._changed = threading.Condition()
        self._closing = False
        self._given_up = False
        self._failing_since = 0.0
        # In a copy of this context: what it says belongs to this step's run.
        work = contextvars.copy_context().run
        self._thread = threading.Thread(target=work, args=(self._work,), name="emberline-delivery", daemon=True)
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Queues an entry; returns at once."""
        with self._changed:
            self._waiting.append(entry)
            self._changed.notify_all()

    def close(self) -> None:
        """Returns when all is delivered, or kept because the server does not answer."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        began = time.monotonic()
        while self._thread.is_alive():
            self._thread.join(0.2)
            failing = self._failing_since
            if failing and time.monotonic() - max(began, failing) > LAST_SECONDS:
                self._given_up = True
                break
        self._keep_rest()
        if left := len(self._waiting) + len(self._refused):
            advice = f"they are kept; later: {self._command}" if self._keep else "they are lost"
            self._progress.say(f"{left} writes of this step did not reach MLflow; {advice}")

    def _work(self) -> None:
        tries = 0
        while True:
            with self._changed:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if not self._waiting or self._given_up:
                    return
                taken = _merged(self._waiting)
            try:
                deliver(self._client, taken[0] if len(taken) == 1 else _as_one(taken))
            except Exception as error:  # the client library, HTTP and storage each fail in their own ways
                if is_refusal(error) or (tries >= TRIES_ALONE and self._answers()):
                    self._refused += [entry | {"refused": _line(error)} for entry in taken]
                    self._progress.say(f"MLflow refused {taken[0]['do']}: {_line(error)}")
                else:
                    self._fail(error, PAUSES[min(tries, len(PAUSES) - 1)])
                    tries += 1
                    continue
            if tries:
                self._progress.say("MLflow answers again")
            tries = 0
            self._failing_since = 0.0
            with self._changed:
                for _ in taken:
                    self._waiting.popleft()

    def _answers(self) -> bool:
        """Whether the store is there: then what it does not take, tried so often, must not hold up the rest."""
        try:
            self._client.search_experiments(max_results=1)
        except Exception:  # as in `_work`
            return False
        return True

    def _fail(self, error: Exception, pause: float) -> None:
        if not self._failing_since:
            self._failing_since = time.monotonic()
            self._progress.say(f"MLflow does not answer; what is told to it waits. {_line(error)}")
        self._keep_rest()
        with self._changed:
            if not self._closing:
                self._changed.wait_for(lambda: self._closing, pause)
                return
        time.sleep(min(pause, 2))

    def _keep_rest(self) -> None:
        """Writes what is left beside the output: the next attempt, or a person, delivers it."""
        if not self._keep:
            return
        with self._changed:
            left = [*self._refused, *self._waiting]
        path = storage.join(self._keep, self._file)
        if left:
            _write(path, self._command, left)
        elif storage.exists(path):
            _forget(path, self._keep)


def deliver(client: MlflowClient, entry: Entry) -> None:
    """Sends one entry to MLflow.

    Raises:
        Exception: whatever the client library raises.
    """
    run = entry["run"]
    match entry["do"]:
        case "metrics":
            client.log_batch(run, metrics=[Metric(key, value, at, step) for key, value, at, step in entry["metrics"]])
        case "tags":
            client.log_batch(run, tags=[RunTag(key, value[:TEXT_LIMIT]) for key, value in entry["tags"].items()])
        case "text":
            client.log_text(run, entry["text"], entry["file"])
        case "files":
            _deliver_files(client, run, entry["source"], entry["path"])
        case "dataset":
            entity = Dataset(
                entry["name"],
                entry["digest"][:36],
                "emberline",
                json.dumps({"uri": entry["source"]}),
                profile=json.dumps(entry["profile"]),
            )
            read = [DatasetInput(entity, [InputTag("mlflow.data.context", entry["context"])])]
            against_others(lambda: client.log_inputs(run, read))
        case "settle":
            _settle(client, run)
        case "end":
            client.set_terminated(run, entry["status"], end_time=entry["at"])


def _settle(client: MlflowClient, run: str) -> None:
    """Ends the runs that earlier attempts of a step have left, once one has succeeded; delivers what they kept first.

    An attempt that was killed says nothing more, and its run would count as running for ever. Another that still works
    has at most the same output, which it was refused; whatever it does, its own end is the last word. Where steps share
    an output, as scorings do that write partitions of their own, only one of the same source is an attempt.
    """
    own = client.get_run(run)
    step, keep = own.data.tags.get(STEP, ""), own.data.tags.get(KEEP, "")
    if not keep:
        return
    asked = (
        f"attributes.status = 'RUNNING' AND attributes.start_time < {own.info.start_time} AND tags.`{STEP}` = '{step}' "
        f"AND tags.`{KEEP}` = {quoted_text(keep)}"
    )
    if own.data.tags.get(SHARED):
        asked += f" AND tags.`{SOURCE}` = {quoted_text(own.data.tags.get(SOURCE, ''))}"
    left = client.search_runs([own.info.experiment_id], asked)
    for one in left:
        file = storage.join(keep, f"{KEPT}{one.info.run_id}.jsonl")
        if storage.exists(file):
            _deliver_file(client, file)
        if client.get_run(one.info.run_id).info.status == "RUNNING":
            client.set_terminated(one.info.run_id, "KILLED")


def _deliver_files(client: MlflowClient, run: str, source: str, path: str) -> None:
    """Copies a file or folder into a run's artifacts; one that is not there any more is no reason to try again."""
    if not storage.exists(source):
        return
    with tempfile.TemporaryDirectory() as scratch:
        if not storage.is_folder(source):
            file = Path(scratch) / PurePosixPath(path).name
            file.write_bytes(storage.read_bytes(source))
            above = str(PurePosixPath(path).parent)
            client.log_artifact(run, str(file), None if above == "." else above)
            return
        local = storage.local_path(source) if storage.is_local(source) else scratch
        if local == scratch:
            storage.copy_folder(source, scratch)
        client.log_artifacts(run, local, path)


@dataclass(frozen=True)
class Uploaded:
    """What became of writes that were kept.

    Args:
        delivered: How many MLflow has now.
        refused: How many it will never take; they stay where they were.
    """

    delivered: int
    refused: int


def upload(store: Store, folder: str) -> Uploaded:
    """Delivers what steps have kept in a folder.

    Args:
        store: The store of those runs.
        folder: URI of a training's folder, or of another step's output.

    Raises:
        BadInputError: if nothing is kept there.
        TrackingError: if MLflow does not take it now; everything stays.
    """
    files = [entry.uri for entry in storage.list_files(folder) if entry.uri.rpartition("/")[2].startswith(KEPT)]
    if not files:
        raise BadInputError(f"Nothing that was not delivered is kept in {folder!r}.")
    delivered, refused = 0, 0
    for file in files:
        try:
            done = _deliver_file(store.client, file)
        except Exception as error:  # the client library, HTTP and storage each fail in their own ways
            raise TrackingError(f"MLflow at {store.uri} does not take what is kept: {_line(error)}") from error
        delivered, refused = delivered + done.delivered, refused + done.refused
    return Uploaded(delivered, refused)


def _deliver_file(client: MlflowClient, file: str) -> Uploaded:
    """Delivers the entries of a file, and deletes it unless some were refused; those stay in it.

    Raises:
        Exception: whatever the client library raises that is no refusal; everything stays.
    """
    command = json.loads(storage.read_text(file).splitlines()[0])["upload"]
    entries, left = _kept_at(file), []
    for entry in entries:
        try:
            deliver(client, entry)
        except Exception as error:  # the client library, HTTP and storage each fail in their own ways
            if not is_refusal(error):
                raise
            left.append(entry | {"refused": _line(error)})
    if left:
        _write(file, command, left)
    else:
        _forget(file, file.rpartition("/")[0])
    return Uploaded(len(entries) - len(left), len(left))


def _kept_at(file: str) -> list[Entry]:
    lines = storage.read_text(file).splitlines()[1:] if storage.exists(file) else []
    return [json.loads(line) for line in lines]


def _write(file: str, command: str, entries: list[Entry]) -> None:
    """The first line is the command that delivers the others."""
    lines = [{"upload": command}, *entries]
    storage.write_bytes_atomic(file, "".join(json.dumps(line) + "\n" for line in lines).encode())


def _forget(file: str, folder: str) -> None:
    """Deletes a file whose entries are delivered, and the folder if it was made for it."""
    storage.delete(file)
    if not storage.list_files(folder, recursive=True):
        storage.delete(folder)


def _merged(waiting: deque[Entry]) -> list[Entry]:
    """The entries at the head that can travel together: metrics of one run."""
    first = waiting[0]
    if first["do"] != "metrics":
        return [first]
    taken: list[Entry] = []
    count = 0
    for entry in waiting:
        count += len(entry.get("metrics", ()))
        if entry["do"] != "metrics" or entry["run"] != first["run"] or (taken and count > METRICS_AT_ONCE):
            break
        taken.append(entry)
    return taken


def _as_one(metrics: list[Entry]) -> Entry:
    return metrics[0] | {"metrics": [point for entry in metrics for point in entry["metrics"]]}


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
