"""What a worker is told before it starts, as plain JSON: nothing of a stranger is unpickled."""

import json
from dataclasses import asdict, dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Assignment:
    """One training, as every worker receives it.

    Args:
        recipe: Recipe name.
        overrides: Its `--set` values.
        dataset: URI of the dataset version.
        output: URI of the training's folder: checkpoints and the exported model.
        threads: CPU threads TensorFlow may use in one worker; 0 for all.
        feed_secret: What opens the ranks' inboxes to the feeders of `training.input=spark`.
        weights: URI of the weights to start from; empty for random ones.
        run: The training's MLflow run, for logs.
    """

    module: ClassVar[str] = "emberline.pipelines.training.rank"

    recipe: str
    overrides: dict[str, str]
    dataset: str
    output: str
    threads: int
    feed_secret: str = ""
    weights: str = ""
    run: str = ""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Assignment":
        return cls(**json.loads(text))
