"""One pipeline under faults: each step as a command of its own, tried again as a scheduler would."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from emberline.features import storage
from emberline.pipelines.datasets.tabular.iris import DEVIATIONS, MEANS, write_table
from tests.chaos import checker
from tests.chaos.faults import Faults
from tests.chaos.marked import processes, send
from tests.chaos.world import BUCKET, World

RECIPES = ("iris_dnn", "iris_petals")
SETTINGS = {
    "iris_dnn": ("training.epochs=12", "training.checkpoint_every=2 epochs"),
    "iris_petals": ("training.epochs=8", "training.checkpoint_every=1 epoch"),
}
DAMAGED = ("5.1,3.5,1.4", "long,3.5,1.4,0.2,0", "5.1,3.5,1.4,0.2,7", "-1,3.5,1.4,0.2,1")
SUCCEEDED, BAD_INPUT = 0, 2

FAULTY_TRIES = 3
"""After so many tries of a step there are no more faults."""
CALM_TRIES = 3
"""The first without faults may find that a server has only just come up."""
TRY_SECONDS = 900
TWICE = 0.25
"""How often a step is submitted twice at once."""
WITH_SUBMISSION = 0.3
"""How many pipelines give their steps files by which a second submission finds the first."""
MOST_FAULTS, PAUSE_SECONDS = 3, (2, 35)
CLIENT_SECONDS = 60


@dataclass(frozen=True)
class Violation:
    """Something that is not as it must be.

    Args:
        pipeline: Number of the pipeline.
        step: After which step it was found.
        found: What was found.
        faults: The pipeline's faults until then.
    """

    pipeline: int
    step: str
    found: str
    faults: list[dict[str, Any]] = field(repr=False)


@dataclass(frozen=True)
class Ended:
    """How a submission ended.

    Args:
        code: Its exit code.
        line: Its last line.
        log: Where its other lines are.
    """

    code: int
    line: dict[str, Any]
    log: Path


@dataclass
class Pipeline:
    """Raw files through etl, train, evaluate, register and score.

    Args:
        world: Servers of the trial.
        faults: What goes wrong.
        chance: Source of everything random.
        number: Of the pipeline, from 1.
        say: Takes a line for people.
    """

    world: World
    faults: Faults
    chance: random.Random
    number: int
    say: Callable[[str], None]
    violations: list[Violation] = field(default_factory=list)
    restarts: int = 0

    def __post_init__(self) -> None:
        self.recipe = self.chance.choice(RECIPES)
        self.folder = self.world.folder / f"pipeline-{self.number}"
        self.outputs = str(self.folder)
        if self.world.store and self.number % 2:
            self.outputs = f"{BUCKET}/pipeline-{self.number}"
        self._known = len(self.faults.history)
        self._runs: list[str] = []
        self._noted = self.chance.random() < WITH_SUBMISSION
        self.rows = {"train": self.chance.randint(600, 1_500), "eval": self.chance.randint(200, 500)}

    @property
    def raw_rows(self) -> int:
        """Rows of the raw files, damaged ones among them."""
        return sum(self.rows.values()) + len(DAMAGED)

    def run(self) -> bool:
        """Runs all steps; returns whether they all ended well. What else is wrong is in `violations`."""
        self._write_raw()
        for step, arguments in self._steps():
            if not self._step(step, arguments):
                return False
            self._check(step)
        self._check_tracking()
        return True

    def _write_raw(self) -> None:
        generator = np.random.default_rng(self.chance.getrandbits(32))
        for split, rows in self.rows.items():
            species = np.arange(rows) % len(MEANS)
            flowers = generator.normal(MEANS[species], DEVIATIONS[species]).clip(0.1)  # no two rows are alike
            write_table(str(self.folder / "raw"), split, flowers, species)
        with (self.folder / "raw" / "iris_training.csv").open("a") as file:
            file.write("\n".join(DAMAGED) + "\n")

    def _place(self, name: str) -> str:
        return storage.join(self.outputs, name)

    def _as_uri(self, place: str) -> str:
        return place if "://" in place else Path(place).as_uri()

    @property
    def _model(self) -> str:
        return f"emberline-{self.recipe}"

    def _steps(self) -> Iterator[tuple[str, list[str]]]:
        raw = str(self.folder / "raw")
        dataset, training = self._place("dataset"), self._place("training")
        yield "etl", ["--input", raw, "--output", dataset, "--overwrite"]
        yield "train", ["--dataset", dataset, "--output", training, "--overwrite"]
        yield "evaluate", ["--training", training, "--overwrite"]
        yield "register", ["--training", training]
        model = f"models:/{self._model}@champion"
        yield "score", ["--model", model, "--input", raw, "--output", self._place("predictions"), "--overwrite"]

    def _step(self, step: str, arguments: list[str]) -> bool:
        """Tries a step until it ends well; returns whether it did."""
        name = f"{self.number} {step}"
        for attempt in range(1, FAULTY_TRIES + CALM_TRIES + 1):
            many = self.chance.randint(0, MOST_FAULTS) if attempt <= FAULTY_TRIES else 0
            twice = attempt <= FAULTY_TRIES and self.chance.random() < TWICE
            if twice:
                self.faults.note("twice", step, name)
            began = time.monotonic()
            with self.faults.during(name, [self.chance.uniform(*PAUSE_SECONDS) for _ in range(many)]):
                ended = self._submit(step, arguments, attempt, 2 if twice else 1)
            codes = [one.code for one in ended]
            self.say(f"{name}, try {attempt}: {codes} after {time.monotonic() - began:.0f} s, {many} faults planned")
            for one in ended:
                if one.code == BAD_INPUT:
                    self._found(step, f"exit code 2 of what a retry helps: {one.line.get('reason')}")
            if good := [one for one in ended if one.code == SUCCEEDED]:
                self._runs += [one.line["mlflow_run"] for one in good if "mlflow_run" in one.line]
                return True
            self.restarts += 1
        self._found(step, f"no success in {attempt} tries, the last {CALM_TRIES} without faults: {ended[-1].line}")
        return False

    def _submit(self, step: str, arguments: list[str], attempt: int, times: int) -> list[Ended]:
        """Submits a step, once or several times at once, and waits for all ends."""
        command = [
            sys.executable, "-m", "emberline", step, "--pipeline", self.recipe, *arguments,
            "--tracking-uri", self.world.mlflow, "--master", self.world.master,
            "--pipeline-run", f"chaos-{self.number}",
        ]  # fmt: skip
        for setting in SETTINGS[self.recipe]:
            command += ["--set", setting]
        if self._noted:
            command += ["--submission", self._place(f"submissions/{step}.json")]
        running = []
        for copy in range(1, times + 1):
            log = self.folder / "logs" / f"{step}-{attempt}-{copy}"
            log.parent.mkdir(exist_ok=True)
            with log.with_suffix(".out").open("wb") as out, log.with_suffix(".err").open("wb") as err:
                process = subprocess.Popen(
                    command, env=self.world.environment, cwd=self.folder, stdout=out, stderr=err,
                    stdin=subprocess.DEVNULL, start_new_session=True,
                )  # fmt: skip
            running.append((process, log))
            time.sleep(self.chance.uniform(0, 4) if times > 1 else 0)
        deadline = time.monotonic() + TRY_SECONDS
        return [self._ended(step, process, log, deadline) for process, log in running]

    def _ended(self, step: str, process: "subprocess.Popen[bytes]", log: Path, deadline: float) -> Ended:
        try:
            code = process.wait(timeout=max(deadline - time.monotonic(), 1))
        except subprocess.TimeoutExpired:
            self._found(step, f"it hangs: no end within {TRY_SECONDS} s, see {log}.err")
            process.kill()
            code = process.wait(timeout=60)
        return Ended(code, last_line(log.with_suffix(".out")), log)

    def _check(self, step: str) -> None:
        """What must be true once a step has ended well."""
        dataset, training, raw = self._place("dataset"), self._place("training"), self.raw_rows
        checks: dict[str, Callable[[], list[str]]] = {
            "etl": lambda: checker.check_dataset(dataset, raw),
            "evaluate": lambda: checker.check_evaluation(training, self.rows["eval"]),
            "register": lambda: checker.check_versions(self._client(), self._model, self._as_uri(training)),
            "score": lambda: checker.check_predictions(self._place("predictions"), raw),
        }
        found = checker.check_processes(self.world.mark)
        for process in processes(self.world.mark) if found else []:
            if process.role not in ("master", "spark worker", "mlflow"):
                send(process.pid, 9)  # so that it is reported once
        found += checker.check_folder(self.outputs)
        if step in checks:
            found += checks[step]()
        for one in found:
            self._found(step, one)

    def _check_tracking(self) -> None:
        """What must be true of MLflow once the pipeline is over and what was kept for it is uploaded."""
        for one in checker.check_kept(self.outputs, self._runs):
            self._found("score", one)
        for place in checker.kept_places(self.outputs):
            done = subprocess.run(
                [sys.executable, "-m", "emberline", "upload-tracking", place, "--tracking-uri", self.world.mlflow],
                env=self.world.environment, capture_output=True, text=True, timeout=300, check=False,
            )  # fmt: skip
            if done.returncode or place in checker.kept_places(self.outputs):
                self._found("upload-tracking", f"code {done.returncode} for {place}: {done.stdout[-1000:]}")
        for one in checker.check_runs(self._client()):
            self._found("score", one)

    def _client(self) -> Any:
        from mlflow.tracking import MlflowClient

        return MlflowClient(self.world.mlflow, self.world.mlflow)

    def _found(self, step: str, what: str) -> None:
        self.violations.append(Violation(self.number, step, what, self.faults.since(self._known)))
        self.say(f"VIOLATION in {self.number} {step}: {what}")


def last_line(file: Path) -> dict[str, Any]:
    """Returns the JSON object on the last line of a job's output; an empty one if it was killed before."""
    lines = file.read_text(errors="replace").strip().splitlines()
    try:
        found = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
