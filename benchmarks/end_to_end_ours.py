"""Our side of `benchmarks.end_to_end`: a recipe, and all of its steps."""

import json
import sys
from typing import Any

from emberline.features.columns import Bucketized, Embedding, Numeric, Vocabulary
from emberline.models.tabular import wide_deep
from emberline.pipelines.recipe import Optimizer, Recipe, Training


def recipe(epochs: int, batch: int) -> Recipe:
    """The network of all sides, from 39 ids: shares of counts, and words of categories."""
    ids = (
        *(Bucketized(Numeric(f"I{index}", default=0.0), quantiles=20) for index in range(1, 14)),
        *(Vocabulary(f"C{index}", unseen_buckets=1) for index in range(1, 27)),
    )
    model = wide_deep.Config(wide=ids, deep=tuple(Embedding(column, 8) for column in ids), hidden_units=(64, 32))
    training = Training(optimizers=(Optimizer("adam", learning_rate=0.001),), epochs=epochs, global_batch=batch)
    return Recipe("end_to_end", "benchmark", "clicks", model, training)


def main(told: dict[str, Any]) -> None:
    """Runs it, and says on the last line how long the steps took and where the predictions are."""
    from emberline.pipelines.run import run

    store = f"sqlite:///{told['work']}/mlflow.db"
    made = recipe(told["epochs"], told["batch"])
    done = run(made, told["work"], store, source=told["raw"], master=told["master"])
    print(json.dumps({"seconds": done["seconds"], "predictions": done["predictions"]}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
