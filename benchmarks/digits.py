"""The digits recipes on MNIST, three seeds each: `python -m benchmarks.digits [DATA]`.

DATA is a folder of the official files, synthetic digits without it; with `t10k` alone every fifth of its digits is held
out, 8,000 against 2,000. Every recipe goes through the pipeline: one dataset version for all, a training on one worker,
an evaluation in Spark. Beside each result stands what its source reports for the whole of MNIST.
"""

import statistics
import sys
import tempfile
from typing import Any

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, data_of, sized_parser
from emberline.pipelines.console.views import parameters
from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

REPORTED: dict[str, float | None] = {
    "mnist_softmax": 0.9179,
    "mnist_mlp": None,
    "mnist_mlp_ema": 0.983,
    "mnist_mlp_dropout": None,
    "mnist_linear": 0.925,
    "mnist_fourier": 0.97,
    "mnist_lenet": 0.992,
    "mnist_row_lstm": 0.93,
    "mnist_cnn_keras": 0.9893,
    "mnist_cnn": 0.9733,
}
"""Accuracy on MNIST's 10,000 test digits after training on 55,000 or 60,000, where the source prints one."""

CHANGED = {
    "mnist_fourier of 8,000 features": {"model.dimensions": "8000"},
    "mnist_mlp_ema without averages": {"training.average_decay": "0"},
    "mnist_mlp_ema without L2": {"training.optimizers.0.l2": "0"},
    "mnist_mlp_ema without decay": {"training.optimizers.0.schedule.kind": "constant"},
    # At the textbook's rate of 0.8 two linear layers diverge.
    "mnist_mlp_ema without rectifiers": {"model.activation": "linear", "training.optimizers.0.learning_rate": "0.1"},
    "mnist_mlp_ema without hidden layer": {"model.hidden_units": "()"},
}
"""Recipes with a field or two set otherwise: nearer to the kernel, and the ablation of the textbook itself."""


def main() -> None:
    parser = sized_parser(__doc__, "one seed, one epoch")
    parser.add_argument("data", nargs="?", help="folder of MNIST's files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", default=[*REPORTED, *CHANGED])
    given = parser.parse_args()
    size: Size = given.size
    found: dict[str, list[dict[str, float]]] = {}
    with data_of("mnist", given.data) as data, tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        with session("benchmark digits", "local[2]") as spark:
            etl(spark, load_recipe("mnist_softmax"), data, f"{folder}/dataset")
            for seed in range(1, size.of(given.seeds, 1, 1) + 1):
                for name in size.of(given.recipes, given.recipes, given.recipes[:1]):
                    overrides = {"training.seed": str(seed), "training.workers": "1"} | CHANGED.get(name, {})
                    if size is not Size.WHOLE:
                        overrides["training.epochs"] = "1"
                    recipe = load_recipe(name.partition(" ")[0], overrides)
                    training = f"{folder}/{name.replace(' ', '-')}-{seed}"
                    train(spark, recipe, f"{folder}/dataset", training, tracker)
                    metrics = evaluate(spark, recipe, training, tracker).metrics
                    found.setdefault(name, []).append({key: metrics[key] for key in ("accuracy", "log_loss")})
                    print(f"{name}, seed {seed}: {metrics['accuracy']:.4f}", file=sys.stderr, flush=True)
    show(found)
    print_json("digits", ratios(found), size, runs=found)


def show(found: dict[str, list[dict[str, float]]]) -> None:
    """The table, for people."""
    print(f"{'':<38}{'weights':>10}{'accuracy':>10}{'reported':>10}   seeds", file=sys.stderr)
    for name, runs in found.items():
        reported = REPORTED.get(name)
        weights = parameters(load_recipe(name.partition(" ")[0], CHANGED.get(name, {})))
        mean = statistics.mean(run["accuracy"] for run in runs)
        listed = "  ".join(f"{run['accuracy']:.4f}" for run in runs)
        shown = f"{reported:.4f}" if reported else "–"
        print(f"{name:<38}{weights:>10,}{mean:>10.4f}{shown:>10}   {listed}", file=sys.stderr)


def ratios(found: dict[str, list[dict[str, Any]]]) -> dict[str, list[float]]:
    """Above 1 where we are ahead: accuracy against the source's, and errors of one network against another's."""
    errors = {name: [1 - run["accuracy"] for run in runs] for name, runs in found.items()}
    against = {
        f"{name}_vs_reported": [run["accuracy"] / reported for run in found[name]]
        for name, reported in REPORTED.items()
        if reported and name in found
    }
    pairs = (("mnist_mlp", "mnist_softmax"), ("mnist_mlp_ema", "mnist_mlp"), ("mnist_cnn", "mnist_mlp_ema"))
    for better, worse in (*pairs, ("mnist_fourier of 8,000 features", "mnist_linear")):
        if better in found and worse in found:
            both = zip(errors[better], errors[worse], strict=True)
            against[f"{better}_vs_{worse}_errors"] = [second / max(first, 1e-9) for first, second in both]
    return against


if __name__ == "__main__":
    main()
