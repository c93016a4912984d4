"""Words a second of skip-gram, on one executor and on two: `python -m benchmarks.word_vectors [--quick]`.

A synthetic text of 50,000 words whose shares fall as 1 / n, vectors of 128 numbers, five words to either side, frequent
words thinned out. Ours is the recipe `word2vec` with its batches of 128 passages on `local-cluster[2,1,2048]`, an
executor of one core per worker; what counts is its second epoch. Opponents pass over the same words once:

- gensim with as many threads, whose words lie in memory, and its own five negatives for each pair (ours are 64, which
  all pairs of a passage share);
- Spark ML's `Word2Vec` with as many partitions on the same executors (hierarchical softmax): what four
  iterations take longer than one, so that neither its start nor its vocabulary counts.

All take turns. Speed is all that is compared here: what the vectors know depends on how long one trains.
"""

import os
import statistics
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.pipelines.cluster.gang import train_on_cluster
from emberline.pipelines.cluster.roles import Gang
from emberline.pipelines.etl import etl
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.runtime.session import session
from emberline.pipelines.training.assignment import Assignment

MASTER = "local-cluster[2,1,2048]"
WORDS, QUICK_WORDS, VOCABULARY, LINE = 1_000_000, 400_000, 50_000, 20
DIMENSION, WINDOW, THRESHOLD, LEAST = 128, 5, 1e-3, 5


def write_text(folder: Path, words: int) -> list[list[str]]:
    """A file of lines of words, and the lines."""
    share = 1 / np.arange(1, VOCABULARY + 1)
    drawn = np.random.default_rng(1).choice(VOCABULARY, words, p=share / share.sum())
    lines = [[f"w{word}" for word in line] for line in drawn.reshape(-1, LINE).tolist()]
    folder.mkdir()
    (folder / "text").write_text("\n".join(map(" ".join, lines)))
    return lines


def ours(spark: Any, dataset: str, words: int, workers: int) -> float:
    """Words a second of the second epoch: the first traces."""
    overrides = {
        "training.epochs": "2",
        "training.workers": str(workers),
        "training.tensorboard": "false",
        "training.checkpoint_every": "9 epochs",
    }
    speeds: list[float] = []

    def hear(rank: int, event: dict[str, Any]) -> None:
        if rank == 0 and event["event"] == "epoch":
            speeds.append(event["metrics"]["examples_per_second"])

    recipe = load_recipe("word2vec", overrides)
    with tempfile.TemporaryDirectory() as output:
        assignment = Assignment(recipe=recipe, dataset=dataset, output=output, threads=1)
        train_on_cluster(spark, assignment, gang=Gang.of(recipe.training), on_event=hear)
    return speeds[-1] * words


def gensim(lines: list[list[str]], workers: int) -> float:
    """Words a second of one pass; the vocabulary is there."""
    from gensim.models import Word2Vec

    model = Word2Vec(
        vector_size=DIMENSION, window=WINDOW, sg=1, sample=THRESHOLD, min_count=LEAST, workers=workers, seed=1
    )
    model.build_vocab(lines)
    words = len(lines) * LINE
    began = time.perf_counter()
    model.train(lines, total_examples=len(lines), total_words=words, epochs=1)
    return words / (time.perf_counter() - began)


def spark_ml(spark: Any, frame: Any, words: int, workers: int) -> float:
    """Words a second of an iteration."""
    from pyspark.ml.feature import Word2Vec

    def fit(iterations: int) -> float:
        began = time.perf_counter()
        Word2Vec(
            vectorSize=DIMENSION,
            windowSize=WINDOW,
            minCount=LEAST,
            numPartitions=workers,
            maxIter=iterations,
            seed=1,
            inputCol="words",
            outputCol="vector",
        ).fit(frame)
        return time.perf_counter() - began

    one = fit(1)
    return 3 * words / (fit(4) - one)


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, f"{QUICK_WORDS:,} words instead of {WORDS:,}, one turn")
    size: Size = parser.parse_args().size
    words, turns = size.of((WORDS, 3), (QUICK_WORDS, 1), (20_000, 1))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, session("benchmark word vectors", MASTER) as spark:
        lines = write_text(Path(folder, "raw"), words)
        version = etl(spark, load_recipe("word2vec"), f"{folder}/raw", f"{folder}/dataset")
        frame = spark.createDataFrame([(line,) for line in lines], "words array<string>").repartition(2).cache()
        frame.count()
        mean = words / sum(version.records.values())
        sides = {
            "ours": partial(ours, spark, f"{folder}/dataset", mean),
            "gensim": partial(gensim, lines),
            "Spark ML": partial(spark_ml, spark, frame, words),
        }
        for _ in range(turns):
            for workers in (1, 2):
                for name, side in sides.items():
                    speed = side(workers)
                    found.setdefault(f"{name}, {workers}", []).append(speed)
                    print(f"{name}, {workers}: {speed:,.0f} words/s", file=sys.stderr)
    print(f"{'words/s':24}{'on one':>12}{'on two':>12}")
    for name in sides:
        print(f"{name:24}" + "".join(f"{statistics.median(found[f'{name}, {n}']):12,.0f}" for n in (1, 2)))
    ratios = {
        f"{workers}_vs_{name.replace(' ', '_').lower()}": [
            a / b for a, b in zip(found[f"ours, {workers}"], found[f"{name}, {workers}"], strict=True)
        ]
        for workers in (1, 2)
        for name in sides
        if name != "ours"
    }
    ratios["two_vs_one"] = [a / b for a, b in zip(found["ours, 2"], found["ours, 1"], strict=True)]
    print_json("word_vectors", ratios, size)


if __name__ == "__main__":
    sys.exit(main())
