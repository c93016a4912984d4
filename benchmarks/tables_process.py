"""One process of `benchmarks.tables`: a network over 26 embedding tables, which takes steps on request.

It reads a JSON object from its command line and then numbers of steps, a line each; for every line it prints seconds,
seconds of CPU time and its peak of resident memory so far. With `TF_CONFIG` it is one worker of several. `opponent` is
"torch" where PyTorch is to do the same; that side needs PyTorch and NumPy alone.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

COLUMNS, WIDTH, HIDDEN, BATCHES = 26, 16, (64, 32), 10
RATE, EPSILON = 0.01, 1e-7


def drawn(rows: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids `[BATCHES, batch, COLUMNS]` and labels `[BATCHES, batch]`, the same in all processes."""
    draw = np.random.default_rng(0)
    ids = draw.integers(0, rows // COLUMNS, (BATCHES, batch, COLUMNS))
    return ids, draw.integers(0, 2, (BATCHES, batch)).astype(np.float32)


def by_emberline(given: dict[str, Any]) -> Callable[[int], float]:
    """Our step; `given` has `rows` (of all tables), `tables`, `batch` (global), `workers`, `rank` and `optimizer`."""
    import tensorflow as tf

    from emberline.features.columns import Embedding, Identity, describe
    from emberline.features.dataset_version import DatasetVersion
    from emberline.features.schema import Field, Label, Schema
    from emberline.features.statistics import Statistics
    from emberline.models.tabular import dnn
    from emberline.pipelines.recipe import Optimizer, Recipe, Training
    from emberline.pipelines.training.step.training_step import TrainingStep
    from emberline.pipelines.training.strategy import make_strategy, prepare_devices

    size = given["rows"] // COLUMNS
    columns = [Identity(f"c{number}", size) for number in range(COLUMNS)]
    label = Label("label", (("0",), ("1",)))
    features = {
        "schema": Schema(tuple(Field(one.name, "integer") for one in columns), label, "row").to_json(),
        "columns": [describe(one) for one in columns],
        "cardinalities": {one.name: size for one in columns},
        "statistics": Statistics(2, (1, 1)).to_json(),
    }
    model = dnn.Config(tuple(Embedding(one, WIDTH) for one in columns), HIDDEN)
    optimizer = Optimizer(given["optimizer"], RATE)
    workers, rank = given["workers"], given["rank"]
    training = Training((optimizer,), epochs=1, global_batch=given["batch"], workers=workers, tables=given["tables"])
    prepare_devices(training, len(os.sched_getaffinity(0)))
    strategy = make_strategy(training)
    with strategy.scope():
        recipe = Recipe("any", "nowhere", "none", model, training)
        step = TrainingStep(recipe, DatasetVersion("nowhere", {"splits": {}}, features), 1_000_000)
    share = given["batch"] // workers
    ids, labels = (part[:, rank * share : (rank + 1) * share] for part in drawn(given["rows"], given["batch"]))
    named = {one.name: ids[:, :, number] for number, one in enumerate(columns)}
    rows = iter(tf.data.Dataset.from_tensor_slices((named, labels)).repeat())

    @tf.function
    def steps(count: tf.Tensor) -> tf.Tensor:
        total = tf.constant(0.0)
        for _ in tf.range(count):
            losses = strategy.run(step.replica_step, args=next(rows))
            total += strategy.experimental_local_results(losses)[0]
        return total

    return lambda count: float(steps(tf.constant(count))) / count


def by_torch(given: dict[str, Any]) -> Callable[[int], float]:
    """The same network of PyTorch's sparse `EmbeddingBag`s with its sparse Adagrad."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    size = given["rows"] // COLUMNS
    bags = torch.nn.ModuleList(torch.nn.EmbeddingBag(size, WIDTH, mode="sum", sparse=True) for _ in range(COLUMNS))
    layers: list[torch.nn.Module] = []
    width = COLUMNS * WIDTH
    for units in HIDDEN:
        layers += [torch.nn.Linear(width, units), torch.nn.ReLU()]
        width = units
    dense = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))
    rule = torch.optim.Adagrad([*bags.parameters(), *dense.parameters()], RATE, eps=EPSILON)
    judge = torch.nn.BCEWithLogitsLoss()
    ids, labels = drawn(given["rows"], given["batch"])
    columns = [[torch.from_numpy(batch[:, number : number + 1].copy()) for number in range(COLUMNS)] for batch in ids]
    wanted = [torch.from_numpy(batch) for batch in labels]
    done = 0

    def steps(count: int) -> float:
        nonlocal done
        total = 0.0
        for _ in range(count):
            batch = columns[done % BATCHES]
            vectors = torch.cat([bag(column) for bag, column in zip(bags, batch, strict=True)], 1)
            loss = judge(dense(vectors)[:, 0], wanted[done % BATCHES])
            rule.zero_grad()
            loss.backward()
            rule.step()
            total += loss.item()
            done += 1
        return total / count

    return steps


def main() -> None:
    """Takes steps until standard input ends."""
    given = json.loads(sys.argv[1])
    if given["cores"]:
        os.sched_setaffinity(0, given["cores"])
    steps = (by_torch if given["opponent"] == "torch" else by_emberline)(given)
    for line in sys.stdin:
        began, used = time.perf_counter(), time.process_time()
        loss = steps(int(line))
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"seconds": seconds, "cpu": cpu, "peak": peak, "loss": loss}), flush=True)
    os._exit(0)  # a worker that left in peace would wait for the others


if __name__ == "__main__":
    main()
