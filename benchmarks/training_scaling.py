"""Examples per second on one and on two workers of one core each, and what that means for more of them.

Every worker is a process of its own, tied to one core, with MultiWorkerMirroredStrategy and our loop in it, as an
executor would run it. The global batch is the same for any number of workers.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from typing import Any

from benchmarks.ratios import Comparison

BATCH = 128
STEPS = 12


def compare_workers(quick: bool) -> tuple[Comparison, str]:
    """Both numbers of workers in turns, and the model of more as lines of text."""
    repeats, epochs = (3, 2) if quick else (5, 4)
    found = Comparison("rows/s")
    single: list[dict[str, Any]] = []
    double: list[dict[str, Any]] = []
    for _ in range(repeats):
        single.append(run(1, BATCH, epochs))
        double.append(run(2, BATCH, epochs))
        found.theirs.append(BATCH / single[-1]["step"])
        found.ours.append(BATCH / double[-1]["step"])
    small = run(1, BATCH // 8, epochs)
    step, eighth = statistics.median(one["step"] for one in single), small["step"]
    per_row = (step - eighth) / (BATCH - BATCH // 8)
    reduce = {size: statistics.median(two["reduce"][size] for two in double) for size in double[0]["reduce"]}
    return found, model(step, max(step - per_row * BATCH, 0.0), per_row, reduce, double[0]["weights"])


def model(step: float, fixed: float, per_row: float, reduce: dict[str, float], weights: int) -> str:
    """What steps of N workers would take: the share of the rows, and a ring all-reduce of the gradients.

    A ring sends 2 (N - 1) / N of the bytes past every worker, in 2 (N - 1) messages (Patarasuk and Yuan, 2009). Latency
    and bandwidth are those of the two all-reduces that were measured, of a few bytes and of many.

    Args:
        step: Seconds of a step of one worker.
        fixed, per_row: The same as a sum: what does not shrink with the batch, and what does.
        reduce: Seconds of an all-reduce between two workers, by bytes.
        weights: Bytes of the gradients.
    """
    (few, latency), (many, seconds) = sorted((int(size), value) for size, value in reduce.items())
    message, byte = latency / 2, max(seconds - latency, 1e-9) / (many - few)
    lines = [
        f"a step of {BATCH} rows on one core: {1e3 * step:.0f} ms, {1e3 * fixed:.1f} ms of it whatever the rows;",
        f"all-reduce between two: {1e3 * latency:.2f} ms for {few} bytes, {1e3 * seconds:.1f} ms for {many:,} bytes;",
        f"gradients: {weights:,} bytes. Modelled examples/s against one worker (and share of N):",
        f"{'workers':>8}{'global batch ' + str(BATCH):>24}{'batch ' + str(BATCH) + ' per worker':>24}",
    ]
    stops = 0
    for workers in (2, 4, 8, 16, 32, 64):
        ring = 2 * (workers - 1) * message + 2 * (workers - 1) / workers * weights * byte
        strong = step / (fixed + per_row * BATCH / workers + ring)
        weak = workers * step / (step + ring)
        if strong >= workers / 2:
            stops = workers
        lines.append(f"{workers:>8}{strong:>16.1f} ({strong / workers:4.0%}){weak:>16.1f} ({weak / workers:4.0%})")
    lines.append(
        f"With a global batch of {BATCH}, more than {stops or 1} workers waste over half of themselves: the all-reduce "
        "and the fixed part of a step stay, only the rows are shared out. A larger batch per worker moves that point."
    )
    return "\n".join(lines)


def run(workers: int, batch: int, epochs: int) -> dict[str, Any]:
    """Starts the workers, each on its own core; what rank 0 measured."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < workers:
        raise RuntimeError(f"{workers} workers need as many processor cores; there are {len(cores)}.")
    ports = [_free_port() for _ in range(workers)]
    addresses = [f"127.0.0.1:{port}" for port in ports]
    processes = []
    for rank in range(workers):
        config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        if workers > 1:
            environment["TF_CONFIG"] = json.dumps(config)
        told = json.dumps({"rank": rank, "workers": workers, "batch": batch, "epochs": epochs, "core": cores[rank]})
        command = [sys.executable, "-m", "benchmarks.training_scaling", told]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
    try:
        said, _ = processes[0].communicate(timeout=300)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    if processes[0].returncode:
        raise RuntimeError("Rank 0 of the scaling benchmark failed; its words are above.")
    found: dict[str, Any] = json.loads(said.splitlines()[-1])
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _work(rank: int, workers: int, batch: int, epochs: int, core: int) -> dict[str, Any]:
    os.sched_setaffinity(0, {core})
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if workers > 1 else tf.distribute.get_strategy()
    from benchmarks.training_cnn import Rows, pictures, recipe, version
    from pipelines.training.collective import SumOverWorkers
    from pipelines.training.loop import Loop

    began, seconds = 0.0, []

    def epoch(_: int) -> Any:
        nonlocal began
        rows = pictures(batch // workers, STEPS)
        began = time.perf_counter()
        return rows

    with tempfile.TemporaryDirectory() as output:
        rows = Rows(epoch, STEPS, pictures(8, 1), lambda: seconds.append(time.perf_counter() - began))
        loop = Loop(recipe(workers, batch, epochs + 1), version(), output, strategy, rank, lambda _: None, rows)
        model = loop.run()
    weights = int(sum(np.prod(variable.shape) for variable in model.trainable_variables)) * 4
    reduce = {}
    together = SumOverWorkers(strategy, workers)
    for size in (8, 2 * weights):
        times = []
        for _ in range(12):
            start = time.perf_counter()
            together(np.zeros(size // 8))
            times.append(time.perf_counter() - start)
        reduce[size] = statistics.median(times[2:])
    return {"step": statistics.median(seconds[1:]) / STEPS, "reduce": reduce, "weights": weights}


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    print(json.dumps(_work(**told)), flush=True)
    if told["rank"]:
        threading.Event().wait()  # leaving now would break rank 0's last sum
    os._exit(0)  # TensorFlow's teardown would wait for the other worker
