"""How long an exported model takes for a call, measured in a process of its own.

A process, because TensorFlow has no place in the driver, and because calls are timed as a server would see them: all
raw columns in, all prediction columns out, nothing else running in the process.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

CALLS = {1: 100, 1000: 20}
"""Calls that are timed, by rows of a call."""

WARM_CALLS = 5
MOST_SECONDS = 300


class LatencyError(RuntimeError):
    """The model could not be called."""


def measure_latency(saved_model: str, examples: str) -> dict[int, float]:
    """Measures the milliseconds of a call at the median, by the number of its rows.

    Args:
        saved_model: Local folder.
        examples: Local Parquet file of raw rows, repeated as often as needed.

    Raises:
        LatencyError: if the process fails.
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "",  # servers without a GPU are the common case, and every machine has a CPU
    }
    done = subprocess.run(
        [sys.executable, "-m", "emberline.pipelines.promotion.latency", saved_model, examples],
        capture_output=True,
        text=True,
        env=environment,
        timeout=MOST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise LatencyError(f"The model's latency could not be measured:\n{done.stderr.strip()[-2000:]}")
    return {int(rows): took for rows, took in json.loads(done.stdout.splitlines()[-1]).items()}


def main(saved_model: str, examples: str) -> None:
    """Prints the medians as JSON."""
    import numpy as np
    import pyarrow.parquet as pq
    import tensorflow as tf

    from emberline.features.schema import Schema
    from emberline.features.tensors import raw_tensors
    from emberline.pipelines.saved_model.named_inputs import arguments, input_spec

    loaded = tf.saved_model.load(saved_model)
    call = loaded.signatures["serving_default"]
    schema = Schema.from_json(json.loads((Path(saved_model) / "features.json").read_text())["schema"])
    inputs = schema.subset(set(input_spec(call)))
    few = pq.read_table(examples)
    found = {}
    for rows, calls in CALLS.items():
        table = few.take(np.arange(rows) % few.num_rows).combine_chunks()
        tensors = raw_tensors(table.to_batches()[0], inputs)
        seconds = []
        for _ in range(WARM_CALLS + calls):
            began = time.perf_counter()
            for output in call(**arguments(tensors)).values():
                output.numpy()
            seconds.append(time.perf_counter() - began)
        found[rows] = 1000 * statistics.median(seconds[WARM_CALLS:])
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
