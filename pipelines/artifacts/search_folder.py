"""The record of a hyper-parameter search: its trials in one file beside them, and one MLflow run above theirs."""

import hashlib
import json
import threading
from dataclasses import asdict, dataclass, replace
from typing import Any

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import flatten
from emberline.pipelines.tracking import Run

SEARCH = "search.json"


@dataclass(frozen=True)
class Trial:
    """One training of a search.

    Args:
        values: Fields and their values, as `--set` takes them.
        training: URI of its folder; the same values have the same one.
        state: `running`, `complete`, `pruned` (ended early, because others were better by then) or `failed`.
        by_epoch: The metric after each epoch.
        result: The metric of the finished training.
        reason: Why it was pruned, or failed.
    """

    values: dict[str, str]
    training: str
    state: str = "running"
    by_epoch: tuple[float, ...] = ()
    result: float | None = None
    reason: str = ""


class Search:
    """A search that is going on; trials may be in several threads.

    Args:
        output: URI of its folder.
        asked: What was asked for; a search goes on only for the same.
        run_id: Its run; empty until it has one.
        trials: Those that have begun, in order.
    """

    def __init__(self, output: str, asked: dict[str, Any], run_id: str, trials: list[Trial]) -> None:
        self.run_id = run_id
        self.trials = trials
        self._output = output
        self._asked = asked
        self._run: Run | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, output: str, asked: dict[str, Any]) -> "Search":
        """Begins a search at `output`, or resumes the one that is there.

        Raises:
            BadInputError: if `output` holds something else.
        """
        path = storage.join(output, SEARCH)
        if not storage.exists(path):
            if storage.exists(output):
                raise BadInputError(f"The output {output!r} exists and is no search. Choose another.")
            return cls(output, asked, "", [])
        state = json.loads(storage.read_bytes(path))
        if state["asked"] != asked:
            before, now = flatten(state["asked"]), flatten(asked)
            differing = sorted(key for key in before | now if before.get(key) != now.get(key))
            raise BadInputError(
                f"The search at {output!r} was another one: {', '.join(differing)} differed. Choose another output."
            )
        trials = [Trial(**{**trial, "by_epoch": tuple(trial["by_epoch"])}) for trial in state["trials"]]
        # Those that have ended come first: the others begin again.
        trials.sort(key=lambda trial: trial.state == "running")
        return cls(output, asked, state["run_id"], trials)

    def record(self, run: Run) -> None:
        """Logs the search to a run from now on."""
        with self._lock:
            self._run = run
            self.run_id = run.id
            self._write()

    @property
    def params(self) -> dict[str, Any]:
        """What was asked for, as settings of its run."""
        params = {key: value for key, value in self._asked.items() if key not in ("recipe", "space")}
        return (
            self._asked["recipe"]
            | params
            | {f"space.{axis['field']}": json.dumps(axis) for axis in self._asked["space"]}
        )

    @property
    def finished(self) -> int:
        """Trials that have ended."""
        return sum(trial.state != "running" for trial in self.trials)

    def begin(self, number: int, values: dict[str, str]) -> Trial:
        """Returns the trial with this number; one that has ended already if another had the same values."""
        name = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        with self._lock:
            others = [trial for place, trial in enumerate(self.trials) if trial.values == values and place != number]
            if any(trial.state == "running" for trial in others):
                name += f"-{number}"  # by chance the same values at the same time
            ended = (trial for trial in others if trial.state != "running")
            trial = next(ended, None) or Trial(values, storage.join(self._output, "trials", name))
            while len(self.trials) <= number:
                self.trials.append(trial)
            self.trials[number] = trial
            self._write()
        return trial

    def note(self, number: int, epoch: int, value: float) -> None:
        """Keeps the metric of one epoch, counted from 1."""
        with self._lock:
            trial = self.trials[number]
            self.trials[number] = replace(trial, by_epoch=(*trial.by_epoch[: epoch - 1], value))
            self._write()

    def end(self, number: int, *, state: str, result: float | None = None, reason: str = "") -> Trial:
        """Keeps how a trial ended."""
        with self._lock:
            trial = replace(self.trials[number], state=state, result=result, reason=reason)
            self.trials[number] = trial
            self._write()
            if result is not None and self._run:
                self._run.log_metrics({self._asked["metric"]: result}, number + 1)
        return trial

    def _write(self) -> None:
        state = {"asked": self._asked, "run_id": self.run_id, "trials": [asdict(trial) for trial in self.trials]}
        storage.write_bytes_atomic(storage.join(self._output, SEARCH), json.dumps(state, indent=2).encode())
