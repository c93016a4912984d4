"""Spoken words, one by one and in a long recording: `python -m benchmarks.speech`.

Trains the recipe on a folder in the layout of Speech Commands (synthetic words without --input), then lets the exported
model listen to minutes of held-out words over background noise, a window every 30 ms, and counts what it spots.
"""

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.datasets.audio.speech_commands import RATE, SAMPLES, SCHEMA, streamed
from emberline.pipelines.evaluation.keyword_spotting import listen
from emberline.pipelines.metrics.keyword_spotting import Spotting, spot, streaming_counts
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.run import run

STRIDE = RATE * 30 // 1000


def main() -> None:
    parser = sized_parser(__doc__, "one epoch, half a minute")
    parser.add_argument("--recipe", default="speech_commands_low_latency")
    parser.add_argument("--input", help="folder in the official layout")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--epochs", type=int, help="default: the recipe's")
    given = parser.parse_args()
    size: Size = given.size
    epochs = size.of(given.epochs, 1, 1)
    overrides = {"training.epochs": str(epochs), "gate.limit": "0"} if epochs else {}
    seconds = size.of(int(60 * given.minutes), 30, 10)
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
    print_json("speech", ratios, size, metrics=done["metrics"], stream=runs)


if __name__ == "__main__":
    main()
