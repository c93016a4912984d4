"""Networks that make pictures, against the simplest that could be done instead: `python -m benchmarks.pictures [DATA]`.

DATA is a folder of MNIST's official files, synthetic digits without it. Each recipe goes through the pipeline, a
training for each seed; its held-out pictures are then compared with a baseline's, in numpy:

- `mnist_autoencoder`: squared error, against drawing the mean digit every time, and against 32 principal components.
- `mnist_dcgan`: Fréchet distance between what was generated and what was held out, in the space of 32 principal
  components, against pixels that are each taken from a digit of their own.
- `shapes_super_resolution`: peak signal-to-noise ratio, against bicubic interpolation.
"""

import sys
import tempfile

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, data_of, sized_parser
from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion, open_version
from emberline.features.tfrecord.layouts import read_shard
from emberline.pipelines.etl import etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

Pictures = NDArray[np.float64]
COMPONENTS = 32


def main() -> None:
    parser = sized_parser(__doc__, "one seed, two epochs")
    parser.add_argument("data", nargs="?", help="folder of MNIST's files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--recipes", nargs="+", default=list(AGAINST))
    given = parser.parse_args()
    size: Size = given.size
    recipes = size.of(given.recipes, given.recipes, given.recipes[:1])
    found: dict[str, list[dict[str, float]]] = {name: [] for name in recipes}
    with data_of("mnist", given.data) as data, tempfile.TemporaryDirectory() as folder:
        tracker = Tracker(f"sqlite:///{folder}/mlflow.db")
        with session("benchmark pictures", "local[2]") as spark:
            for name in recipes:
                raw = data
                if load_recipe(name).dataset.startswith("shapes"):
                    from emberline.pipelines.datasets.images.shapes_reconstruction import DATASET

                    raw = f"{folder}/shapes"
                    DATASET.generate(raw, seed=1)
                etl(spark, load_recipe(name), raw, f"{folder}/{name}")
                version = open_version(f"{folder}/{name}")
                for seed in range(1, size.of(given.seeds, 1, 1) + 1):
                    overrides = {"training.workers": "1", "training.seed": str(seed)}
                    overrides |= size.of({}, {"training.epochs": "2"}, {"training.epochs": "1"})
                    recipe, training = load_recipe(name, overrides), f"{folder}/training-{name}-{seed}"
                    train(spark, recipe, f"{folder}/{name}", training, tracker)
                    found[name].append(AGAINST[name](version, evaluate(spark, recipe, training, tracker).scores))
                    told = ", ".join(f"{what} {value:.4f}" for what, value in found[name][-1].items())
                    print(f"{name}, seed {seed}: {told}", file=sys.stderr, flush=True)
    ratios = {
        f"{name}_vs_{what}": [run[what] for run in runs]
        for name, runs in found.items()
        for what in runs[0]
        if what.endswith("ratio")
    }
    print_json("pictures", ratios, size, found=found)


def stored(version: DatasetVersion, split: str) -> Pictures:
    """Every picture of a split as numbers of 0 to 1, `[rows, pixels]`."""
    shards, uri = version.split(split), storage.join(version.uri, split)
    batches = (batch for shard in shards.shards for batch in read_shard(uri, shards, shard))
    parts = [np.asarray(batch.column("image").flatten()) for batch in batches]
    width = version.schema.field("image").shape
    return np.concatenate(parts).reshape(-1, int(np.prod(width))) / 255


def scored(uri: str, column: str) -> Pictures:
    """A column of the scores of the held-out rows."""
    return np.stack(pq.read_table(storage.local_path(uri), columns=[column])[column].to_numpy())


def components(pictures: Pictures) -> tuple[Pictures, Pictures]:
    """Mean, and the directions of the largest variance, `[components, pixels]`."""
    mean = pictures.mean(axis=0)
    _, directions = np.linalg.eigh(np.cov(pictures.T))
    return mean, directions[:, ::-1][:, :COMPONENTS].T


def against_the_mean(version: DatasetVersion, scores: str) -> dict[str, float]:
    """Squared errors per pixel."""
    training, truth = stored(version, "train"), stored(version, "eval")
    mean, directions = components(training)
    projected = mean + (truth - mean) @ directions.T @ directions
    ours, of_mean = float(scored(scores, "mse").mean()), float(np.mean((truth - mean) ** 2))
    of_components = float(np.mean((truth - projected) ** 2))
    return {"mse": ours, "mean_digit": of_mean, "32_components": of_components, "mean_digit_ratio": of_mean / ours}


def against_loose_pixels(version: DatasetVersion, scores: str) -> dict[str, float]:
    """Fréchet distances."""
    training, truth, drawn = stored(version, "train"), stored(version, "eval"), scored(scores, "generated")
    mean, directions = components(training)
    generator = np.random.default_rng(1)
    loose = np.stack([generator.permutation(column) for column in training.T], axis=1)[: len(truth)]
    places = {
        name: (rows - mean) @ directions.T for name, rows in (("truth", truth), ("ours", drawn), ("loose", loose))
    }
    ours, theirs = (frechet(places[name], places["truth"]) for name in ("ours", "loose"))
    real = frechet((training[: len(truth)] - mean) @ directions.T, places["truth"])
    return {"frechet": ours, "loose_pixels": theirs, "real_digits": real, "loose_pixels_ratio": theirs / ours}


def frechet(one: Pictures, other: Pictures) -> float:
    """|m1 - m2|² + tr(C1 + C2 - 2 (C1 C2)^½), with means m and covariances C."""
    first, second = np.cov(one.T), np.cov(other.T)
    roots = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0))
    shift = np.sum((one.mean(axis=0) - other.mean(axis=0)) ** 2)
    return float(shift + np.trace(first) + np.trace(second) - 2 * roots.sum())


def against_bicubic(version: DatasetVersion, scores: str) -> dict[str, float]:
    """Means of peak signal-to-noise ratio in dB, and of structural similarity."""
    import tensorflow as tf

    shape = version.schema.field("image").shape
    truth = stored(version, "eval").reshape(-1, *shape).astype(np.float32)
    small = tf.image.resize(truth, [side // 4 for side in shape[:2]], "bicubic", antialias=True)
    large = tf.clip_by_value(tf.image.resize(small, shape[:2], "bicubic"), 0, 1)
    ours, bicubic = float(scored(scores, "psnr").mean()), float(tf.reduce_mean(tf.image.psnr(large, truth, 1.0)))
    similar = float(tf.reduce_mean(tf.image.ssim(large, tf.constant(truth), 1.0)))
    return {
        "psnr": ours,
        "bicubic": bicubic,
        "ssim": float(scored(scores, "ssim").mean()),
        "bicubic_ssim": similar,
        "bicubic_error_ratio": float(10 ** ((ours - bicubic) / 10)),
    }


AGAINST = {
    "mnist_autoencoder": against_the_mean,
    "mnist_dcgan": against_loose_pixels,
    "shapes_super_resolution": against_bicubic,
}


if __name__ == "__main__":
    main()
