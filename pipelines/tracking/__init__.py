"""MLflow: runs, artifacts and the model registry; the only package that imports it.

The driver alone writes here. Experiments and models carry the product's name, and those of synthetic data a
suffix, so that a demonstration never competes with a real champion.
"""

from emberline.pipelines.tracking.lineage import trace
from emberline.pipelines.tracking.registry import CHALLENGER, CHAMPION, ModelVersion, Registry, local_copy, model_name
from emberline.pipelines.tracking.runs import Run, Runs, StoppedEarlyError, TrackedRun, experiment_name
from emberline.pipelines.tracking.store import TrackingError

__all__ = [
    "CHALLENGER", "CHAMPION", "ModelVersion", "Run", "StoppedEarlyError", "TrackedRun", "Tracker", "TrackingError",
    "experiment_name", "local_copy", "model_name", "trace",
]  # fmt: skip


class Tracker(Runs, Registry):
    """One tracking store and registry; see `Runs` and `Registry` for what it does.

    Args:
        uri: `sqlite:///…` (made if absent, artifacts beside it) or `http(s)://…`.

    Raises:
        TrackingError: if it does not answer.
    """
