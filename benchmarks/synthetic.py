"""Recipes on synthetic data, several seeds: `python -m benchmarks.synthetic [--recipes NAME ...]`.

Of such data it is known how good a reader of the rules can be: that stands beside what was reached. (Only
`digits_mlp` reads scikit-learn's digits.) Every recipe goes through the pipeline: a dataset version, a training on one
worker for each seed, an evaluation in Spark. What counts is the metric of the recipe's gate.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.console.views import parameters
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tasks import gate_of
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

SMALL_FACES = {"model.image.height": "99", "model.image.width": "99"}
CHANGED: dict[str, dict[str, str]] = {
    "digits_mlp": {}, "shapes_cnn": {}, "shapes_unet": {}, "cifar10_small": {},
    "cifar10_small with batch normalisation": {"model.normalization": "batch"},
    "faces_gender": SMALL_FACES, "faces_age": SMALL_FACES, "faces_embedding": {}, "sentiment_nbow": {},
    "sentiment_cnn": {}, "sentiment_bilstm": {}, "translation": {}, "scene_captions": {}, "sine_lstm": {},
    "drawings_conv_lstm": {}, "speech_commands_low_latency": {}, "speech_commands_conv": {},
}  # fmt: skip
"""Recipes, and their fields that are set otherwise."""


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, "one seed, one epoch")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", choices=list(CHANGED), default=list(CHANGED), metavar="NAME")
    given = parser.parse_args()
    size: Size = given.size
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    rows, ratios = [], {}
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        for name in size.of(given.recipes, given.recipes, given.recipes[1:2]):
            base = load_recipe(name.partition(" ")[0], CHANGED[name])
            gate = gate_of(base, load_dataset(base.dataset).schema)
            metric = gate.metric
            source, best = raw(base.dataset, f"{folder}/raw-{base.dataset}", metric)
            reached = []
            with session(f"benchmark {name}", "local[2]") as spark:
                dataset = f"{folder}/{name.replace(' ', '-')}"
                etl(spark, base, source, dataset)
                for seed in range(1, size.of(given.seeds, 1, 1) + 1):
                    overrides = CHANGED[name] | {"training.seed": str(seed), "training.workers": "1"}
                    overrides |= size.of({}, *2 * ({"training.epochs": "1"},))
                    recipe = load_recipe(base.name, overrides)
                    train(spark, recipe, dataset, f"{dataset}-{seed}", tracker)
                    reached.append(evaluate(spark, recipe, f"{dataset}-{seed}", tracker).metrics[metric])
            rows.append((name, parameters(base), metric, best, reached))
            print(line(*rows[-1]), file=sys.stderr, flush=True)
            if best:
                smaller = gate.smaller_is_better
                ratios[f"{name}_vs_best"] = [best / value if smaller else value / best for value in reached]
    print(f"{'':<40}{'weights':>12}  {'metric':<10}{'best':>8}{'mean':>8}   seeds", file=sys.stderr)
    for row in rows:
        print(line(*row), file=sys.stderr)
    found = {name: {"metric": metric, "best": best, "reached": reached} for name, _, metric, best, reached in rows}
    print_json("synthetic", ratios, size, found=found)


def raw(name: str, folder: str, metric: str) -> tuple[str, float | None]:
    """Where the raw data lie, and the best that can be reached of the metric, if that is known."""
    if name == "digits":
        import sklearn.datasets

        return str(Path(sklearn.datasets.__file__).parent / "data" / "digits.csv.gz"), None
    made = (
        load_dataset(name).synthetic(folder) if Path(folder).exists() else load_dataset(name).generate(folder, seed=1)
    )
    return folder, made.best.get(metric) if made else None


def line(name: str, weights: int | None, metric: str, best: float | None, reached: list[float]) -> str:
    """Of the table."""
    known, counted = f"{best:.4f}" if best else "–", f"{weights:,}" if weights else "–"
    seeds = "  ".join(f"{value:.4f}" for value in reached)
    return f"{name:<40}{counted:>12}  {metric:<10}{known:>8}{statistics.mean(reached):>8.4f}   {seeds}"


if __name__ == "__main__":
    main()
