"""What people see: MLflow's own pages about two pipeline runs, in a real browser that nobody looks at."""

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mlflow.tracking import MlflowClient

from benchmarks.iris import split, write_split

pytestmark = pytest.mark.slow
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MODEL = "emberline-iris_dnn"
SHOWN = "document.body.innerText"
PICTURES = os.environ.get("EMBERLINE_SCREENSHOTS")
"""Folder that keeps the screenshots for people."""


@dataclass
class Browser:
    """Headless Chromium, driven by the DevTools protocol: a page is looked at when it shows what it should.

    Args:
        folder: Its profile, and the screenshots.
    """

    folder: Path

    def __post_init__(self) -> None:
        self._process = subprocess.Popen(
            [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
             "--disable-background-networking", "--disable-features=IsolateSandboxedIframes",
             f"--user-data-dir={self.folder / 'profile'}", "--window-size=1400,1600",
             "--remote-debugging-port=0", "--remote-allow-origins=*", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def close(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def see(self, name: str, url: str, *conditions: str, framed: str = "", seconds: float = 90) -> Any:
        """Opens a page, waits until every JavaScript expression is true, and keeps a screenshot.

        Args:
            name: Of the screenshot.
            url: Of the page.
            conditions: JavaScript expressions.
            framed: Text that a frame inside the page must show.
            seconds: When to give up; nothing is expected to take so long.

        Returns:
            The page's text.

        Raises:
            AssertionError: if that takes too long, with the text that is shown instead.
        """
        return asyncio.run(self._see(name, url, conditions, framed, seconds))

    async def _see(self, name: str, url: str, conditions: tuple[str, ...], framed: str, seconds: float) -> Any:
        deadline, port = time.monotonic() + seconds, self.folder / "profile" / "DevToolsActivePort"
        while not port.exists():
            assert time.monotonic() < deadline, "Chromium did not start"
            await asyncio.sleep(0.1)
        address = f"http://127.0.0.1:{port.read_text().splitlines()[0]}"
        async with aiohttp.ClientSession() as http:
            async with http.put(f"{address}/json/new?about:blank") as answer:
                page = json.loads(await answer.text())
            async with http.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                count = 0

                async def call(method: str, **given: Any) -> Any:
                    nonlocal count
                    count += 1
                    await socket.send_json({"id": count, "method": method, "params": given})
                    while (said := await socket.receive_json()).get("id") != count:
                        continue
                    assert "error" not in said, said
                    return said["result"]

                async def value(expression: str) -> Any:
                    found = await call("Runtime.evaluate", expression=expression, returnByValue=True)
                    return found["result"].get("value")

                async def frames() -> str:
                    tree = await call("Page.getFrameTree")
                    shown = []
                    for child in tree["frameTree"].get("childFrames", ()):
                        # The frame is sandboxed: the page's own scripts do not see into it.
                        world = await call("Page.createIsolatedWorld", frameId=child["frame"]["id"])
                        found = await call("Runtime.evaluate", expression=SHOWN, returnByValue=True,
                                           contextId=world["executionContextId"])  # fmt: skip
                        shown.append(str(found["result"].get("value")))
                    return "\n".join(shown)

                await call("Page.navigate", url=url)
                missing = [*conditions, *([framed] if framed else [])]
                while missing:
                    missing = [condition for condition in conditions if not await value(condition)]
                    if framed and framed not in await frames():
                        missing.append(framed)
                    if time.monotonic() > deadline:
                        text = await value(SHOWN)
                        await self._picture(call, f"{name}-failed")
                        raise AssertionError(f"{name}: {missing} did not become true. The page shows:\n{text}")
                    await asyncio.sleep(0.3)
                await asyncio.sleep(1)  # charts draw their lines in a moment
                await self._picture(call, name)
                text = await value(SHOWN)
            async with http.get(f"{address}/json/close/{page['id']}"):
                return text

    async def _picture(self, call: Any, name: str) -> None:
        picture = await call("Page.captureScreenshot", format="png")
        folder = Path(PICTURES) if PICTURES else self.folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(base64.b64decode(picture["data"]))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if not CHROMIUM:
        pytest.skip("no Chromium on the PATH: install chromium to look at MLflow's pages")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@dataclass(frozen=True)
class Seen:
    """Two pipeline runs on a server.

    Args:
        uri: The server.
        experiment: Id of the experiment.
        runs: Ids of the trainings.
        client: Of the server.
    """

    uri: str
    experiment: str
    runs: tuple[str, str]
    client: MlflowClient


@pytest.fixture(scope="module")
def seen(mlflow_server, emberline, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder = tmp_path_factory.mktemp("iris")
    write_split(str(folder / "raw"), split())
    summaries = []
    for rate in ("0.01", "0.05"):
        finished = emberline(
            "run", "iris_dnn", "--input", folder / "raw", "--workspace", folder, "--tracking-uri", mlflow_server.uri,
            "--master", "local[2]", "--set", "training.mode=local", "--set", "training.epochs=20",
            "--set", f"training.optimizers.0.learning_rate={rate}",
        )  # fmt: skip
        assert finished.code == 0, finished.stderr[-4000:]
        summaries.append(finished.result)
    client = MlflowClient(mlflow_server.uri, mlflow_server.uri)
    experiment = client.get_experiment_by_name("emberline/iris_dnn")
    assert experiment
    first, second = (summary["run_id"] for summary in summaries)
    return Seen(mlflow_server.uri, experiment.experiment_id, (first, second), client)


def test_the_list_of_runs(browser: Browser, seen: Seen) -> None:
    above = [seen.client.get_run(run).data.tags["mlflow.parentRunId"] for run in seen.runs]
    names = [seen.client.get_run(run).info.run_name for run in above]
    text = browser.see(
        "runs", f"{seen.uri}/#/experiments/{seen.experiment}/runs", *(f"{SHOWN}.includes('{name}')" for name in names)
    )
    assert "emberline/iris_dnn" in text


def test_both_runs_side_by_side(browser: Browser, seen: Seen) -> None:
    runs = json.dumps(list(seen.runs))
    text = browser.see(
        "compare", f'{seen.uri}/#/compare-runs?runs={runs}&experiments=["{seen.experiment}"]',
        f"{SHOWN}.includes('training.optimizers.0.learning_rate')", f"{SHOWN}.includes('test_accuracy')",
    )  # fmt: skip
    assert "0.01" in text
    assert "0.05" in text


def test_the_curves_of_both_runs(browser: Browser, seen: Seen) -> None:
    asked = f'runs={json.dumps(list(seen.runs))}&experiments=["{seen.experiment}"]&metric="loss"'
    lines = "[...document.querySelectorAll('.scatterlayer .trace path.js-line')]"
    browser.see(
        "curves", f'{seen.uri}/#/metric?{asked}&plot_metric_keys=["loss"]',
        f"{lines}.filter(line => line.getAttribute('d').length > 50).length >= 2",
        f"{SHOWN}.includes('2/2')", f"{SHOWN}.split('(step=100)').length > 2",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "holds"), [("profile.html", "Jensen-Shannon"), ("evaluation.html", "Confusion matrix")]
)
def test_the_pages_among_the_artifacts(browser: Browser, seen: Seen, file: str, holds: str) -> None:
    run = seen.runs[0]
    text = browser.see(
        file, f"{seen.uri}/#/experiments/{seen.experiment}/runs/{run}/artifacts/{file}",
        f"{SHOWN}.includes('{file}')", framed=holds,
    )  # fmt: skip
    assert "verdict.json" in text


def test_the_model_version_its_alias_and_where_it_comes_from(browser: Browser, seen: Seen) -> None:
    version = seen.client.get_model_version_by_alias(MODEL, "champion")
    digest = version.tags["emberline.dataset_digest"]
    text = browser.see(
        "model-version", f"{seen.uri}/#/models/{MODEL}/versions/{version.version}",
        f"{SHOWN}.includes('champion')", f"{SHOWN}.includes('Inputs (4)')", f"{SHOWN}.includes('{digest[:20]}')",
    )  # fmt: skip
    assert "emberline.training" in text
    assert "Source Run" in text
    text = browser.see(
        "training-run", f"{seen.uri}/#/experiments/{seen.experiment}/runs/{version.run_id}",
        f"{SHOWN}.includes('emberline-iris')", f"{SHOWN}.includes('{MODEL}')",
    )  # fmt: skip
    assert "Parent run" in text or "Parent Run" in text
