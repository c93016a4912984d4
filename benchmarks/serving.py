"""How long a message waits for its verdict over HTTP: `python -m benchmarks.serving [DATA]`.

Trains a spam filter on the messages at DATA, registers it, starts `mlflow models serve` on it, and sends one raw
message per call over a connection that stays open. Beside it, in turns: a model that answers without looking, which is
what MLflow's server takes for itself; and the exported graph in this process, without HTTP.
"""

import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, data_of, sized_parser
from emberline.pipelines.datasets.text.antispam import FILES
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.run import run

TURNS, CALLS, WARM = 5, 200, 50


@contextmanager
def served(model: str, tracking_uri: str) -> Iterator[str]:
    """Address of MLflow's scoring server with a model, for the block.

    Args:
        model: `models:/NAME/VERSION`.
        tracking_uri: The store that knows it.

    Raises:
        RuntimeError: if the server does not start, with its last words.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{found.getsockname()[1]}"
    command = [
        sys.executable, "-m", "mlflow", "models", "serve", "-m", model, "--env-manager", "local",
        "--host", "127.0.0.1", "--port", address.partition(":")[2],
    ]  # fmt: skip
    # The server finds uvicorn where this interpreter is.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = os.environ | {"MLFLOW_TRACKING_URI": tracking_uri, "PATH": path}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + 120
            while not _answers(address):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"MLflow's server did not start:\n{log.read()[-3000:]}")
                time.sleep(0.5)
            yield address
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"http://{address}/ping", timeout=5)
    except OSError:
        return False
    return True


def over_http(address: str) -> Callable[[str], Any]:
    """Message in, verdict out, over a connection that stays open.

    Raises:
        RuntimeError: if the server answers anything else, with its words.
    """
    connection = http.client.HTTPConnection(address, timeout=60)
    # What the headers said must not wait for what the body will say.
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def call(message: str) -> Any:
        body = json.dumps({"dataframe_records": [{"message": message}]})
        connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        if "predictions" not in answer:
            raise RuntimeError(f"No verdict over {message!r}: {answer}")
        return answer["predictions"][0]

    return call


def in_process(saved_model: str) -> Callable[[str], Any]:
    """The same by a call of the exported graph."""
    import tensorflow as tf

    signature = tf.saved_model.load(saved_model).signatures["serving_default"]
    return lambda message: {name: value.numpy()[0] for name, value in signature(message=tf.constant([message])).items()}


def careless(tracking_uri: str) -> str:
    """URI of a model that answers without looking."""
    import mlflow
    import pandas as pd

    class Careless(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> pd.DataFrame:
            return pd.DataFrame({"score": [0.5] * len(model_input), "class": ["pass"] * len(model_input)})

    mlflow.set_tracking_uri(tracking_uri)
    with mlflow.start_run():
        return str(mlflow.pyfunc.log_model(name="model", python_model=Careless()).model_uri)


def milliseconds(call: Callable[[str], Any], messages: list[str]) -> list[float]:
    """Of each call."""
    found = []
    for message in messages:
        began = time.perf_counter()
        call(message)
        found.append(1e3 * (time.perf_counter() - began))
    return found


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, "fewer calls, one turn")
    parser.add_argument("data", nargs="?", help="folder with msgpass.log.seg and msgspam.log.seg")
    parser.add_argument("--recipe", default="antispam_cnn")
    given = parser.parse_args()
    size: Size = given.size
    turns, count, warm = size.of((TURNS, CALLS, WARM), (1, CALLS, WARM), (1, 10, 2))
    recipe = load_recipe(given.recipe, size.of({}, {}, {"training.epochs": "1"}))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with data_of("antispam", given.data) as data, tempfile.TemporaryDirectory() as folder:
        # As people type them: without the blanks between words.
        lines = Path(data, FILES["spam"]).read_text().split("\n")[: warm + count]
        messages = ["".join(line.split()) for line in lines]
        store = f"sqlite:///{folder}/mlflow.db"
        done = run(recipe, folder, store, source=data, master="local[2]")
        model = f"models:/{done['model']['name']}/{done['model']['version']}"
        saved = f"{done['training'].removeprefix('file://')}/model"
        with served(model, store) as ours, served(careless(store), store) as floor:
            sides = {
                "mlflow models serve": over_http(ours),
                "its server alone": over_http(floor),
                "the graph, in process": in_process(saved),
            }
            said, known = (sides[name](messages[0])["score"] for name in list(sides)[::2])
            if abs(said - known) > 1e-4:
                raise RuntimeError(f"Over HTTP the score is {said}, in this process {known}.")
            found: dict[str, list[list[float]]] = {name: [] for name in sides}
            for _ in range(turns):
                for name, call in sides.items():
                    milliseconds(call, messages[:warm])
                    found[name].append(milliseconds(call, messages[warm:]))
    print(f"{'one message, ms':24}{'median':>10}{'95 %':>10}{'99 %':>10}")
    for name, turns in found.items():
        every = statistics.quantiles([value for turn in turns for value in turn], n=100)
        print(f"{name:24}{every[49]:10.2f}{every[94]:10.2f}{every[98]:10.2f}")
    medians = {name: [statistics.median(turn) for turn in turns] for name, turns in found.items()}
    ours_ms, alone, graph = medians.values()
    ratios = {
        "server_alone_vs_ours": [b / a for a, b in zip(ours_ms, alone, strict=True)],
        "graph_vs_ours": [b / a for a, b in zip(ours_ms, graph, strict=True)],
    }
    print_json("serving", ratios, size, milliseconds=medians)


if __name__ == "__main__":
    main()
