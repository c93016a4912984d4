"""What a training tells: events of its ranks as progress lines and MLflow metrics."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.tracking import Run

SECONDS_BETWEEN_STEPS = 1.0
"""A small network does a hundred calls in this time, and nobody looks at each."""

Watch: TypeAlias = Callable[[int, Mapping[str, float]], None]


def shown(metrics: dict[str, float]) -> str:
    """Returns the losses and held-out metrics for a line that people read."""
    return ", ".join(
        f"{name} {value:,.4f}"
        for name, value in metrics.items()
        if name == "loss" or name.startswith(("eval_", "best_"))
    )


def _first_line(reason: str) -> str:
    """Returns what failed, without the traceback: its first line, and the error's own when that line only opens one."""
    first, *rest = reason.splitlines()
    errors = [line for line in rest if re.match(r"[\w.]+(Error|Exception)\b", line)]
    return f"{first.partition('Traceback')[0]}{errors[-1][:300]}." if "Traceback" in first and errors else first


@dataclass
class TrainingRecord:
    """Hears what the ranks say; call it with a rank and its event.

    Args:
        run: Where metrics go.
        progress: Shows lines to people.
        recipe: What is trained.
        watch: Called with epoch and metrics; what it raises ends the training.

    Attributes:
        metrics: Of the last epoch.
        steps: Done so far.
        resumed_from: Step at which this attempt began.
        lost: Workers that the others did without.
        model_digest: Of the files of the exported model.
    """

    run: Run
    progress: Progress
    recipe: Recipe
    watch: Watch | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    steps: int = 0
    resumed_from: int = 0
    lost: int = 0
    model_digest: str = ""
    _began: float = 0.0
    _rates: list[float] = field(default_factory=list)
    _step: int = 0
    _told: float = 0.0
    _usage: dict[int, dict[str, float]] = field(default_factory=dict)

    def __call__(self, rank: int, event: dict[str, Any]) -> None:
        if event["event"] == "restart":
            self.progress.say(f"{_first_line(event['reason'])} Starting all workers again ({event['attempt']}).")
            self.run.log_metrics({"restarts": event["attempt"]}, self.steps)
        if event["event"] == "worker lost":
            others = f"{event['left']} other{'s' if event['left'] > 1 else ''}"
            self.progress.say(f"{_first_line(event['reason'])} Training goes on with {others}.")
            self.lost += 1
            self.run.log_metrics({"lost_workers": self.lost}, self.steps)
        if event["event"] == "alive":
            self._take_usage(rank, event.get("usage", {}))
        if rank:
            return
        match event["event"]:
            case "start":
                self._began = time.monotonic()
                self.steps = self.resumed_from = event["step"]
                if event["step"]:
                    self.progress.say(f"resumed after epoch {event['epoch']}, step {event['step']:,}")
            case "warm start":
                self.run.log_metrics({f"warm_start/{name}": value for name, value in event["metrics"].items()})
                self.progress.say(f"the weights to start from: {shown(event['metrics'])}")
            case "exported":
                self.model_digest = event["digest"]
            case "progress":
                self.progress.update(self._line(event))
                self._take_step(event)
            case "epoch":
                self.steps = event["step"]
                self._rates.append(event["metrics"]["examples_per_second"])
                self.metrics = event["metrics"] | {"examples_per_second": sum(self._rates) / len(self._rates)}
                self.run.log_metrics(event["metrics"], event["step"])
                epochs = self.recipe.training.epochs
                self.progress.say(
                    f"epoch {event['epoch']}/{epochs}  {shown(event['metrics'])}  "
                    f"{event['metrics']['examples_per_second']:,.0f} examples/s"
                )
                if self.watch:
                    self.watch(event["epoch"], event["metrics"])
            case "pictures":
                self.run.log_files(event["uri"], f"pictures/{event['uri'].rpartition('/')[2]}")
            case "note":
                self.progress.say(event["text"])
            case "best":
                self.metrics |= event["metrics"]
                self.run.log_metrics(event["metrics"], event["step"])
                self.progress.say(f"the model is that of step {event['step']:,}: {shown(event['metrics'])}")

    def _take_step(self, event: dict[str, Any]) -> None:
        """Logs the metrics of a call, with a minimum interval between two sets."""
        self._step = event["step"]
        if time.monotonic() - self._told >= SECONDS_BETWEEN_STEPS:
            self._told = time.monotonic()
            names = ("loss", "examples_per_second")
            self.run.log_metrics({f"step/{name}": event[name] for name in names}, event["step"])

    def _take_usage(self, rank: int, usage: dict[str, float]) -> None:
        """Logs the usage of the chief, and of all ranks together, each time the chief reports."""
        self._usage[rank] = usage
        if rank:
            return
        told = {f"system/chief/{name}": value for name, value in usage.items()}
        for name in usage:
            values = [others[name] for others in self._usage.values() if name in others]
            told[f"system/all/{name}_mean"] = sum(values) / len(values)
            told[f"system/all/{name}_max"] = max(values)
        if told:
            self.run.log_metrics(told, self._step)

    def _line(self, event: dict[str, Any]) -> str:
        per_step = (time.monotonic() - self._began) / max(event["step"] - self.resumed_from, 1)
        left = per_step * (event["steps"] - event["step"])
        steps_per_second = event["examples_per_second"] / self.recipe.training.global_batch
        return (
            f"epoch {event['epoch']}/{event['epochs']}  step {event['step']:,}/{event['steps']:,}  "
            f"loss {event['loss']:.4f}  {steps_per_second:,.0f} steps/s  {left:.0f} s left"
        )
