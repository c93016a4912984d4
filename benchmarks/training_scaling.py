"""Examples per second on one and on two workers of one core each, and what that means for more of them.

Every worker is a process of its own, tied to one core, with MultiWorkerMirroredStrategy and our loop in it, as an
executor would run it. The global batch is the same for any number of workers. One worker and two stay alive side by
side and do an epoch of a second in turns, the others waiting: a neighbour's noise on the machine meets both alike.
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
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from benchmarks.ratios import Comparison
from benchmarks.sizes import Size

BATCH = 512
STEPS = 3


def compare_workers(size: Size) -> tuple[Comparison, str]:
    """Both numbers of workers in turns, and the model of more as lines of text."""
    turns = size.of(24, 8, 2)
    found, eighth = Comparison("rows/s"), []
    with Gang(1, BATCH, turns) as one, Gang(2, BATCH, turns) as two, Gang(1, BATCH // 8, turns) as small:
        for gang in (one, two, small):
            gang.epoch()  # traces
        for _ in range(turns):
            found.theirs.append(BATCH / one.epoch())
            found.ours.append(BATCH / two.epoch())
            eighth.append(small.epoch())
        known = two.ended()
    step = BATCH / statistics.median(found.theirs)
    per_row = (step - statistics.median(eighth)) / (BATCH - BATCH // 8)
    return found, model(step, max(step - per_row * BATCH, 0.0), per_row, known["reduce"], known["weights"])


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


class Gang:
    """Workers that train, an epoch at a time.

    Args:
        workers: How many, each on a core of its own.
        batch: Rows of a step over all of them.
        turns: Epochs that will be asked for, the first one that traces aside.
    """

    def __init__(self, workers: int, batch: int, turns: int) -> None:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < workers:
            raise RuntimeError(f"{workers} workers need as many processor cores; there are {len(cores)}.")
        addresses = [f"127.0.0.1:{_free_port()}" for _ in range(workers)]
        self._ranks = []
        for rank in range(workers):
            config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": rank}}
            environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
            if workers > 1:
                environment["TF_CONFIG"] = json.dumps(config)
            told = {"rank": rank, "workers": workers, "batch": batch, "epochs": turns + 1, "core": cores[rank]}
            command = [sys.executable, "-m", "benchmarks.training_scaling", json.dumps(told)]
            self._ranks.append(
                subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )

    def epoch(self) -> float:
        """Seconds per step of one epoch."""
        for process in self._ranks:
            if process.stdin:
                process.stdin.write("go\n")
                process.stdin.flush()
        return float(self._heard())

    def ended(self) -> dict[str, Any]:
        """After the last epoch: seconds of an all-reduce by bytes, and the bytes of the gradients."""
        return dict(self._heard())

    def _heard(self) -> Any:
        output = self._ranks[0].stdout
        line = output.readline() if output else ""
        if not line:
            raise RuntimeError("Rank 0 of the scaling benchmark ended; its words are above.")
        return json.loads(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._ranks:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _work(rank: int, workers: int, batch: int, epochs: int, core: int) -> None:
    os.sched_setaffinity(0, {core})
    import numpy as np
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if workers > 1 else tf.distribute.get_strategy()
    from benchmarks.training_cnn import Rows, pictures, recipe, version
    from emberline.pipelines.training.collective import SumOverWorkers
    from emberline.pipelines.training.loop import Loop

    began = taken = 0.0

    def epoch(number: int) -> Any:
        nonlocal began
        rows = pictures(batch // workers, STEPS)
        if number:  # said once this process is idle again: the other gang has the next turn
            print(json.dumps(taken), flush=True)
        sys.stdin.readline()
        began = time.perf_counter()
        return rows

    def over() -> None:
        nonlocal taken
        taken = (time.perf_counter() - began) / STEPS

    wanted = recipe(workers, batch, epochs)
    wanted = replace(wanted, training=replace(wanted.training, checkpoint_every=f"{epochs} epochs"))
    with tempfile.TemporaryDirectory() as output:
        rows = Rows(epoch, STEPS, pictures(8, 1), over)
        model = Loop(wanted, version(), output, strategy, rank, lambda _: None, rows).run()
    print(json.dumps(taken), flush=True)
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
    print(json.dumps({"reduce": reduce, "weights": weights}), flush=True)


if __name__ == "__main__":
    _work(**json.loads(sys.argv[1]))
    threading.Event().wait()  # leaving now would break the others' last sum
