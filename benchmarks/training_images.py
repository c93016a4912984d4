"""Images a second in training, and how long steps wait for them: `python -m benchmarks.training_images [--quick]`.

MobileNet from shards on one worker of `local[2]`, through the pipeline: pictures of 128 x 128 stored as pixels, as PNG
and as JPEG, which are decoded while the step before is computed. The thin network (an eighth of the weights) is what
asks most of its input. Reported are the last epoch's images per second and the share of it for which steps waited; the
ratios are speeds of files over those of pixels.
"""

import os
import statistics
import sys
import tempfile

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

RECIPE, SIDE = "imagenet_mobilenet", 128
WIDTHS = {"MobileNet 0.25": "0.25", "MobileNet": "1.0"}
FORMS = ("pixels", "png", "jpeg")
TURNS = 3


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, "the thin network, one turn")
    size: Size = parser.parse_args().size
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    names, turns, side = size.of((list(WIDTHS), TURNS, SIDE), (list(WIDTHS)[:1], 1, SIDE), (list(WIDTHS)[:1], 1, 32))
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder, session("benchmark training images", "local[2]") as spark:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        load_dataset(load_recipe(RECIPE).dataset).generate(f"{folder}/raw", seed=1)
        extent = {"model.image.height": str(side), "model.image.width": str(side)}
        for form in FORMS:
            overrides = extent | {"model.image.stored_as": form}
            etl(spark, load_recipe(RECIPE, overrides), f"{folder}/raw", f"{folder}/{form}")
        for turn in range(turns):
            for name in names:
                for form in FORMS:
                    overrides = extent | {
                        "model.image.stored_as": form,
                        "model.width": WIDTHS[name],
                        "training.workers": "1",
                        "training.global_batch": "16",
                        "training.epochs": "2",
                        "training.tensorboard": "false",
                    }
                    recipe, output = load_recipe(RECIPE, overrides), f"{folder}/{name}-{form}-{turn}"
                    trained = train(spark, recipe, f"{folder}/{form}", output, tracker)
                    found.setdefault((name, form), []).append(trained.metrics)
    print(f"{'network':16}{'stored as':10}{'images/s':>10}{'waits':>8}")
    for (name, form), runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in ("examples_per_second", "input_wait")}
        print(f"{name:16}{form:10}{middle['examples_per_second']:10.1f}{middle['input_wait']:8.1%}")
    ratios = {
        f"{name.replace(' ', '_')}_{form}_vs_pixels": [
            a["examples_per_second"] / b["examples_per_second"]
            for a, b in zip(found[name, form], found[name, "pixels"], strict=True)
        ]
        for name in names
        for form in FORMS[1:]
    }
    waits = {f"{name}, {form}": [run["input_wait"] for run in runs] for (name, form), runs in found.items()}
    print_json("training_images", ratios, size, input_wait=waits)


if __name__ == "__main__":
    sys.exit(main())
