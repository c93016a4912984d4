"""The spam filters on the corpus's own messages, several seeds: `python -m benchmarks.antispam [DATA]`.

A fifth of the messages is held out by a hash of their text, so no message is on both sides. Reference: scikit-learn's
linear support vector machine over tf-idf weights of the same words, on the same rows; and the "more than 0.97" that the
book reports for each of its three networks (0.93 for its SVM). Without DATA the messages are synthetic.

With `--vectors`, vectors of words are learned of the same messages first (`antispam_word2vec`), and each filter is
trained three times: with vectors of its own, with those, and with those left as they are.
"""

import hashlib
import itertools
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import ArrayLike
from pyspark.sql import SparkSession

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, data_of, sized_parser
from emberline.features.dataset_version import open_version
from emberline.pipelines.datasets.text.antispam import FILES, HELD_OUT, SCHEMA
from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

RECIPES = ("antispam_nbow", "antispam_cnn", "antispam_rnn")
REPORTED = 0.97
METRICS = ("accuracy", "auc", "recall_at_1_percent")


def main() -> None:
    parser = sized_parser(__doc__, "one seed")
    parser.add_argument("data", nargs="?", help="folder with msgpass.log.seg and msgspam.log.seg")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--vectors", action="store_true", help="also from vectors learned beforehand")
    given = parser.parse_args()
    size: Size = given.size
    recipes = size.of(given.recipes, given.recipes, given.recipes[:1])
    with data_of("antispam", given.data) as data, tempfile.TemporaryDirectory() as folder:
        found = {"scikit-learn SVM": [reference(data)]}
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        with session("benchmark antispam", "local[2]") as spark:
            etl(spark, load_recipe(recipes[0]), data, f"{folder}/dataset")  # all read the same column
            kinds: dict[str, dict[str, str]] = {"": {}}
            if given.vectors:
                uri = vectors(spark, data, folder, tracker)
                kinds |= {" (given)": {"initial": uri}, " (frozen)": {"initial": uri, "trainable": "false"}}
            for recipe_name, (kind, chosen) in itertools.product(recipes, kinds.items()):
                name = recipe_name + kind
                found[name] = []
                for seed in range(1, size.of(given.seeds, 1, 1) + 1):
                    where = "model.deep.0" if recipe_name == "antispam_nbow" else "model.words"
                    overrides = {f"{where}.{key}": value for key, value in chosen.items()}
                    overrides |= {"training.seed": str(seed)} | size.of({}, {}, {"training.epochs": "1"})
                    training = f"{folder}/{name.replace(' ', '-')}-{seed}"
                    recipe = load_recipe(recipe_name, overrides)
                    train(spark, recipe, f"{folder}/dataset", training, tracker)
                    evaluate(spark, recipe, training, tracker)
                    scores = pq.read_table(f"{training}/evaluation/scores.parquet")
                    found[name].append(metrics(scores[SCHEMA.label.name].to_numpy(), scores["score"].to_numpy()))
    print(f"{'':<24}" + "".join(f"{metric:>22}" for metric in METRICS) + "   seeds' accuracy", file=sys.stderr)
    for name, runs in found.items():
        means = "".join(f"{statistics.mean(run[metric] for run in runs):>22.4f}" for metric in METRICS)
        print(f"{name:<24}{means}   " + "  ".join(f"{run['accuracy']:.4f}" for run in runs), file=sys.stderr)
    best = max((runs for name, runs in found.items() if name.split()[0] in recipes), key=_accuracy)
    ratios = {"accuracy_vs_svm": [run["accuracy"] / found["scikit-learn SVM"][0]["accuracy"] for run in best]}
    print_json("antispam", ratios, size, runs=found)


def vectors(spark: SparkSession, data: str, folder: str, tracker: Tracker) -> str:
    """Path of the vectors of the messages' words, by the ids of the filters' vocabulary."""
    recipe = load_recipe("antispam_word2vec")
    etl(spark, recipe, data, f"{folder}/words")
    train(spark, recipe, f"{folder}/words", f"{folder}/vectors", tracker)
    ids = [open_version(f"{folder}/{name}").statistics.vocabulary("message").sha256 for name in ("dataset", "words")]
    if ids[0] != ids[1]:
        raise RuntimeError("The filters and the vectors know other words: both must read the same training split.")
    return f"{folder}/vectors/model/vectors/message.npy"


def _accuracy(runs: list[dict[str, float]]) -> float:
    return statistics.mean(run["accuracy"] for run in runs)


def metrics(label: ArrayLike, score: ArrayLike) -> dict[str, float]:
    """Accuracy, area under the ROC curve, and the share of spam found where 1 % of good messages are taken for it."""
    from sklearn.metrics import roc_auc_score, roc_curve

    label, score = np.asarray(label), np.asarray(score)
    false, true, _ = roc_curve(label, score)
    return {
        "accuracy": float(np.mean((score > 0.5) == (label > 0.5))),
        "auc": float(roc_auc_score(label, score)),
        "recall_at_1_percent": float(true[false <= 0.01].max()),
    }


def reference(data: str) -> dict[str, float]:
    """scikit-learn's linear SVM, defaults, over tf-idf weights of the words."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    texts, label = [], []
    for verdict, name in enumerate(FILES.values()):
        lines = [line.strip(" ") for line in Path(data, name).read_text().split("\n")]
        texts += [line for line in lines if line]
        label += [verdict] * sum(map(bool, lines))
    held = np.array([int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) % HELD_OUT == 0 for text in texts])
    words = TfidfVectorizer(token_pattern=r"\S+", lowercase=False)
    corpus, verdicts = np.array(texts, object), np.array(label)
    machine = LinearSVC().fit(words.fit_transform(corpus[~held]), verdicts[~held])
    margin = machine.decision_function(words.transform(corpus[held]))
    return metrics(verdicts[held], 1 / (1 + np.exp(-margin)))


if __name__ == "__main__":
    main()
