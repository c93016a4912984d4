"""The three census recipes on the official UCI Adult split, three seeds each: `python -m benchmarks.census [DATA]`.

Reference: scikit-learn's gradient-boosted trees on the same rows, in the same run. Without DATA the people are
synthetic.
"""

import statistics
import sys
import tempfile
from typing import Any

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, data_of, sized_parser
from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

RECIPES = ("census_linear", "census_wide_deep", "census_best")
TREES = "scikit-learn trees"


def main() -> None:
    parser = sized_parser(__doc__, "one seed, one epoch")
    parser.add_argument("data", nargs="?", help="folder with adult.data and adult.test")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    given = parser.parse_args()
    size: Size = given.size
    recipes = size.of(given.recipes, given.recipes, given.recipes[:1])
    with data_of("census", given.data) as data, tempfile.TemporaryDirectory() as folder:
        found: dict[str, Any] = {TREES: [reference(data)]}
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        with session("benchmark census") as spark:
            for name in recipes:
                dataset = f"{folder}/{name}"
                etl(spark, load_recipe(name), data, dataset)
                found[name] = []
                for seed in range(1, size.of(given.seeds, 1, 1) + 1):
                    overrides = {"training.seed": str(seed)} | size.of({}, *2 * ({"training.epochs": "1"},))
                    training = f"{folder}/{name}-{seed}"
                    recipe = load_recipe(name, overrides)
                    train(spark, recipe, dataset, training, tracker)
                    found[name].append(evaluate(spark, recipe, training, tracker).metrics)
    print(f"{'':<20}{'accuracy':>10}{'auc':>10}{'pr_auc':>10}{'log_loss':>10}   seeds' accuracy, auc", file=sys.stderr)
    for name, runs in found.items():
        means = [statistics.mean(run[metric] for run in runs) for metric in ("accuracy", "auc", "pr_auc", "log_loss")]
        seeds = "  ".join(f"{run['accuracy']:.4f} {run['auc']:.4f}" for run in runs)
        print(f"{name:<20}" + "".join(f"{mean:>10.4f}" for mean in means) + f"   {seeds}", file=sys.stderr)
    trees = found[TREES][0]["auc"]
    ratios = {f"{name}_auc_vs_trees": [run["auc"] / trees for run in found[name]] for name in recipes}
    print_json("census", ratios, size, runs=found)


def reference(data: str) -> dict[str, float]:
    """scikit-learn's gradient-boosted trees on all fourteen columns, defaults."""
    import pandas as pd
    from sklearn import metrics
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.preprocessing import OrdinalEncoder

    from emberline.pipelines.datasets.tabular.census import FILES, SCHEMA

    names = [*(field.name for field in SCHEMA.fields), "label"]
    frames = {
        split: pd.read_csv(f"{data}/{file}", names=names, skipinitialspace=True, comment="|")
        for split, file in FILES.items()
    }
    texts = [field.name for field in SCHEMA.fields if field.kind == "string"]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(frames["train"][texts])
    for frame in frames.values():
        frame[texts] = encoder.transform(frame[texts])
    truth = {split: frame.pop("label").str.startswith(">50K").to_numpy(float) for split, frame in frames.items()}
    model = HistGradientBoostingClassifier(random_state=1).fit(frames["train"], truth["train"])
    score = model.predict_proba(frames["eval"])[:, 1]
    return {
        "accuracy": float(metrics.accuracy_score(truth["eval"], score > 0.5)),
        "auc": float(metrics.roc_auc_score(truth["eval"], score)),
        "pr_auc": float(metrics.average_precision_score(truth["eval"], score)),
        "log_loss": float(metrics.log_loss(truth["eval"], score)),
    }


if __name__ == "__main__":
    main()
