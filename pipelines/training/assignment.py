"""The instructions for a worker, in one line of JSON."""

import json
from dataclasses import dataclass, fields
from typing import ClassVar

from emberline.pipelines.recipe import Recipe
from emberline.pipelines.runtime.by_value import from_text, to_text


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """One training, as every worker receives it.

    Args:
        recipe: What to train: the value itself, wherever it was made (see `emberline.pipelines.runtime.by_value`).
        dataset: URI of the dataset version.
        output: URI of the training's folder: checkpoints and the exported model.
        threads: CPU threads TensorFlow may use in one worker; 0 for all.
        feed_secret: What opens the ranks' inboxes to the feeders of `training.input=spark`.
        weights: URI of the weights to start from; empty for random ones.
        run: The training's MLflow run, for logs.
    """

    module: ClassVar[str] = "emberline.pipelines.training.rank"

    recipe: Recipe
    dataset: str
    output: str
    threads: int
    feed_secret: str = ""
    weights: str = ""
    run: str = ""

    def to_json(self) -> str:
        """Returns one line.

        Raises:
            BadInputError: if the recipe holds something that cannot travel.
        """
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        return json.dumps(told | {"recipe": to_text(self.recipe)})

    @classmethod
    def from_json(cls, text: str) -> "Assignment":
        """Returns what `to_json` wrote.

        Raises:
            BadInputError: if the recipe is of a module that cannot be imported here.
        """
        told = json.loads(text)
        return cls(**told | {"recipe": from_text(told["recipe"])})
