"""What people see: a page in a real browser that nobody looks at."""

import asyncio
import base64
import json
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
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
        self._process.wait(60)

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
