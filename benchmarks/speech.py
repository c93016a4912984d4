"""Spoken words, one by one and in a long recording: `python -m benchmarks.speech`.

Trains the recipe on a folder in the layout of Speech Commands (synthetic words without --input), then lets the exported
model listen to minutes of held-out words over background noise, a window every 30 ms, and counts what it spots.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.ratios import summary
from emberline.pipelines.datasets.audio.speech_commands import RATE, SAMPLES, SCHEMA, streamed
from emberline.pipelines.evaluation.keyword_spotting import listen
from emberline.pipelines.metrics.keyword_spotting import Spotting, spot, streaming_counts
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.run import run

STRIDE = RATE * 30 // 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="speech_commands_low_latency")
    parser.add_argument("--input", help="folder in the official layout")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    parser.add_argument("--quick", action="store_true", help="one epoch, half a minute")
    given = parser.parse_args()
    epochs = 1 if given.quick else given.epochs
    overrides = {"training.epochs": str(epochs), "gate.limit": "0"} if epochs else {}
    seconds = 30 if given.quick else int(60 * given.minutes)
    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(given.input).resolve()) if given.input else None
        recipe = load_recipe(given.recipe, overrides)
        done = run(recipe, folder, f"sqlite:///{folder}/mlflow.db", source=source, master="local[2]")
        raw = source or f"{folder}/raw/{recipe.dataset}-synthetic-{recipe.preparation.seed}"
        recording, said = streamed(raw, seconds, seed=1)
        heard = listen(f"{done['training']}/model", recording, RATE, window=SAMPLES, stride=STRIDE)
    print(f"accuracy of single words {done['metrics']['accuracy']:.4f}", file=sys.stderr)
    print(f"{'threshold':>10}{'said':>6}{'matched':>9}{'correct':>9}{'wrong':>7}{'false':>7}", file=sys.stderr)
    runs = {}
    for threshold in (0.5, 0.6, 0.7, 0.8, 0.9):
        found = spot(*heard, SCHEMA.label.class_names, Spotting(threshold=threshold))
        counts = runs[threshold] = asdict(streaming_counts(found, said))
        print(
            f"{threshold:>10}{counts['said']:>6}{counts['matched']:>9}{counts['correct']:>9}{counts['wrong']:>7}"
            f"{counts['false_positives']:>7}",
            file=sys.stderr,
        )
    ratios = {"correct_vs_said": [runs[0.7]["correct"] / runs[0.7]["said"]]}
    print(json.dumps({"benchmark": "speech", "ratios": summary(ratios), "metrics": done["metrics"], "stream": runs}))


if __name__ == "__main__":
    main()
