"""The three census recipes on the official UCI Adult split, three seeds each: `python -m benchmarks.census DATA`.

Reference: scikit-learn's logistic regression and gradient-boosted trees on the same rows, in the same run.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

RECIPES = ("census_linear", "census_wide_deep", "census_best")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder with adult.data and adult.test")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    given = parser.parse_args()
    data = str(Path(given.data).resolve())
    found: dict[str, Any] = {"scikit-learn trees": [reference(data)]}
    with tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        with session("benchmark census") as spark:
            for name in given.recipes:
                dataset = f"{folder}/{name}"
                etl(spark, load_recipe(name), data, dataset)
                found[name] = []
                for seed in range(1, given.seeds + 1):
                    overrides = {"training.seed": str(seed)}
                    training = f"{folder}/{name}-{seed}"
                    recipe = load_recipe(name, overrides)
                    train(spark, recipe, dataset, training, tracker)
                    found[name].append(evaluate(spark, recipe, training, tracker).metrics)
    print(f"{'':<20}{'accuracy':>10}{'auc':>10}{'pr_auc':>10}{'log_loss':>10}   seeds' accuracy, auc", file=sys.stderr)
    for name, runs in found.items():
        means = [statistics.mean(run[metric] for run in runs) for metric in ("accuracy", "auc", "pr_auc", "log_loss")]
        seeds = "  ".join(f"{run['accuracy']:.4f} {run['auc']:.4f}" for run in runs)
        print(f"{name:<20}" + "".join(f"{mean:>10.4f}" for mean in means) + f"   {seeds}", file=sys.stderr)
    print(json.dumps({"benchmark": "census", "runs": found}))


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
