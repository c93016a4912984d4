"""The iris recipe on a fixed split of scikit-learn's table, several seeds: `python -m benchmarks.iris`.

The 150 flowers are split 120 to 30, stratified by species with `random_state=0`, and written in the official format;
the pipeline then reads them like anybody's files. One worker on this machine. Reference: scikit-learn's logistic
regression and network of the same layers on the same split, and the 0.967 that the TensorFlow documentation reports
on its own 30 flowers.
"""

import statistics
import sys
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.datasets.tabular.iris import write_table
from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

REPORTED = 0.967
SPLIT_SEED = 0

Tables = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]


def main() -> None:
    parser = sized_parser(__doc__, "two seeds")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    size: Size = given.size
    seeds = size.of(given.seeds, 2, 1)
    tables = split()
    ours: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        write_split(f"{folder}/raw", tables)
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        with session("benchmark iris", "local[2]") as spark:
            etl(spark, load_recipe("iris_dnn"), f"{folder}/raw", f"{folder}/dataset")
            for seed in range(1, seeds + 1):
                overrides = {"training.seed": str(seed), "training.workers": "1"}
                overrides |= size.of({}, {}, {"training.epochs": "1"})
                training = f"{folder}/training-{seed}"
                recipe = load_recipe("iris_dnn", overrides)
                train(spark, recipe, f"{folder}/dataset", training, tracker)
                ours.append(evaluate(spark, recipe, training, tracker).metrics)
    found: dict[str, list[dict[str, float]]] = {"iris_dnn": ours, **reference(tables, seeds)}
    print(f"{'':<34}{'accuracy':>10}{'log_loss':>10}   seeds' accuracy", file=sys.stderr)
    for name, runs in found.items():
        means = [statistics.mean(run[metric] for run in runs) for metric in ("accuracy", "log_loss")]
        listed = "  ".join(f"{run['accuracy']:.4f}" for run in runs)
        print(f"{name:<34}" + "".join(f"{mean:>10.4f}" for mean in means) + f"   {listed}", file=sys.stderr)
    ratios = {"accuracy_vs_reported": [run["accuracy"] / REPORTED for run in ours]}
    print_json("iris", ratios, size, runs=found)


def split() -> Tables:
    """Measures of 120 and 30 flowers, then their species."""
    from sklearn.datasets import load_iris
    from sklearn.model_selection import train_test_split

    flowers, species = load_iris(return_X_y=True)
    found: Any = train_test_split(flowers, species, test_size=30, stratify=species, random_state=SPLIT_SEED)
    return tuple(found)


def write_split(directory: str, tables: Tables) -> None:
    """Writes `iris_training.csv` and `iris_test.csv`."""
    train_flowers, test_flowers, train_species, test_species = tables
    write_table(directory, "train", train_flowers, train_species)
    write_table(directory, "eval", test_flowers, test_species)


def reference(tables: Tables, seeds: int) -> dict[str, list[dict[str, float]]]:
    """scikit-learn's models on the same split."""
    from sklearn import metrics
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier

    train_flowers, test_flowers, train_species, test_species = tables
    models = {
        "scikit-learn logistic regression": [LogisticRegression(max_iter=1000)],
        "scikit-learn MLP (10, 10)": [
            MLPClassifier((10, 10), max_iter=2000, random_state=seed) for seed in range(1, seeds + 1)
        ],
    }
    found: dict[str, list[dict[str, float]]] = {}
    for name, candidates in models.items():
        found[name] = []
        for model in candidates:
            probabilities = model.fit(train_flowers, train_species).predict_proba(test_flowers)
            found[name].append(
                {
                    "accuracy": float(metrics.accuracy_score(test_species, probabilities.argmax(axis=1))),
                    "log_loss": float(metrics.log_loss(test_species, probabilities)),
                }
            )
    return found


if __name__ == "__main__":
    main()
