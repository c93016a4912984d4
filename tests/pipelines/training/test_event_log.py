"""What the ranks' events become in MLflow."""

from typing import Any

from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.training import event_log
from emberline.pipelines.training.event_log import TrainingRecord


class Notes:
    """A run that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, float], int]] = []

    def log_metrics(self, metrics: dict[str, float], step: int = 0) -> None:
        self.told.append((dict(metrics), step))


def record(notes: Any) -> TrainingRecord:
    return TrainingRecord(notes, Progress("train"), load_recipe("iris_dnn"))


def progress(step: int) -> dict[str, Any]:
    return {"event": "progress", "epoch": 1, "epochs": 2, "loss": 1 / step, "step": step, "steps": 100,
            "examples_per_second": 10.0 * step}  # fmt: skip


def test_steps_are_told_at_most_once_in_a_while(monkeypatch) -> None:
    notes, now = Notes(), [100.0]
    monkeypatch.setattr(event_log.time, "monotonic", lambda: now[0])
    hear = record(notes)
    for step in range(1, 31):
        hear(0, progress(step))
        hear(1, progress(step))
        now[0] += 0.125
    assert [step for _, step in notes.told] == [1, 9, 17, 25]
    assert notes.told[0][0] == {"step/loss": 1.0, "step/examples_per_second": 10.0}


def test_what_ranks_use_is_told_of_the_chief_and_of_all(monkeypatch) -> None:
    notes = Notes()
    hear = record(notes)
    hear(1, {"event": "alive", "usage": {"cpu_percent": 50.0, "memory_gib": 3.0}})
    assert not notes.told
    hear(0, {"event": "alive", "usage": {"cpu_percent": 100.0, "memory_gib": 1.0}})
    assert notes.told == [
        (
            {
                "system/chief/cpu_percent": 100.0,
                "system/all/cpu_percent_mean": 75.0,
                "system/all/cpu_percent_max": 100.0,
                "system/chief/memory_gib": 1.0,
                "system/all/memory_gib_mean": 2.0,
                "system/all/memory_gib_max": 3.0,
            },
            0,
        )
    ]
