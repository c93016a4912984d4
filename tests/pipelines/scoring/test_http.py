"""`mlflow models serve` on a registered model, against batch scoring."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from emberline.pipelines.score import score


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture
def server(registered, tmp_path: Path) -> Iterator[str]:
    """Address of MLflow's scoring server with the champion."""
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "models", "serve", "-m", registered.uri, "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    # The server finds uvicorn where this interpreter is.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"MLFLOW_TRACKING_URI": registered.tracker.uri, "PATH": path}
    log = (tmp_path / "server.log").open("w")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{address}/ping", timeout=5)
                break
            except OSError:
                assert process.poll() is None, (tmp_path / "server.log").read_text()[-3000:]
                assert time.monotonic() < deadline
                time.sleep(0.5)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)


@pytest.mark.slow
def test_the_server_says_what_batch_scoring_says(
    spark: SparkSession, registered, people, server: str, tmp_path: Path
) -> None:
    score(spark, None, registered.uri, registered.rows, str(tmp_path / "out"), registered.tracker)
    batch = {row["row"]: (row["score"], row["class"]) for row in spark.read.parquet(str(tmp_path / "out")).collect()}
    rows = [row for row in people().slice(0, 200).to_pylist() if row["town"] not in ("?", " Ulm ")]
    longest = max(len(row["tags"]) for row in rows)
    records = [
        {
            # Over HTTP, a missing value is what it is in the model's graph.
            "age": -1 if row["age"] is None else row["age"],
            "town": row["town"] or "",
            "job": row["job"] or "",
            "amount": row["amount"],
            "pixels": row["pixels"],
            "tags": row["tags"] + [""] * (longest - len(row["tags"])),
        }
        for row in rows
        if row["amount"] is not None
    ]
    keys = [row["row"] for row in rows if row["amount"] is not None]
    body = json.dumps({"dataframe_records": records}).encode()
    request = urllib.request.Request(f"{server}/invocations", body, {"Content-Type": "application/json"})
    answer = json.loads(urllib.request.urlopen(request, timeout=60).read())["predictions"]
    assert len(answer) == len(keys) > 100
    np.testing.assert_allclose([one["score"] for one in answer], [batch[key][0] for key in keys], rtol=1e-5)
    assert [one["class"] for one in answer] == [batch[key][1] for key in keys]
