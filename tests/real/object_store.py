"""An S3 server on loopback, SeaweedFS, with keys that it checks; and a gate before it that counts and refuses requests.

    python -m tests.real.object_store FOLDER    # until Ctrl-C; prints what to set for clients

The server comes from Go's module proxy, by name and version. It is built once, which takes minutes.
"""

import argparse
import http.client
import http.server
import json
import os
import random
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.real.jars import CACHE

SEAWEEDFS = "v0.0.0-20261109003541-7506e5f91cd6"
KEY, SECRET = "tests-key", "tests-secret"
START_SECONDS = 240
SLOW_DOWN = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
)


def weed() -> Path:
    """Returns SeaweedFS's program, built once."""
    program = CACHE / "go" / SEAWEEDFS / "weed"
    if not program.exists():
        assert shutil.which("go"), "Go is not on the PATH: install Go 1.24 or newer to build the S3 server."
        # A module of its own: Go installs no program directly whose module replaces others.
        module = CACHE / "go" / "module"
        module.mkdir(parents=True, exist_ok=True)
        (module / "go.mod").write_text("module server\n\ngo 1.24\n")
        package = "github.com/seaweedfs/seaweedfs/weed"
        for command in (["get", f"{package}@{SEAWEEDFS}"], ["build", "-o", str(program), package]):
            subprocess.run(["go", *command], cwd=module, check=True, timeout=3600)
    return program


def free_ports(count: int) -> list[int]:
    """Ports that are free, and ten thousand above each too: SeaweedFS listens there for its own calls."""
    found: list[int] = []
    while len(found) < count:
        port = random.randint(10_000, 22_000)
        try:
            for number in (port, port + 10_000):
                socket.create_server(("127.0.0.1", number)).close()
        except OSError:
            continue
        if port not in found:
            found.append(port)
    return found


@dataclass
class ObjectStore:
    """The server.

    Args:
        folder: Of its data and log.
    """

    folder: Path
    ports: list[int] = field(default_factory=lambda: free_ports(4))
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports[3]}"

    def command(self) -> list[str]:
        """Writes its settings and returns what starts it."""
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        allowed = {"name": "tests", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
        reader = {"name": "reader", "credentials": [{"accessKey": "reader-key", "secretKey": "reader-secret"}],
                  "actions": ["Read", "List"]}  # fmt: skip
        (self.folder / "s3.json").write_text(json.dumps({"identities": [allowed, reader]}))
        master, volume, filer, s3 = self.ports
        return [
            str(weed()), "server", f"-dir={self.folder}/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master.port={master}", f"-volume.port={volume}", "-volume.max=20", "-master.volumeSizeLimitMB=256",
            "-filer", f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={self.folder}/s3.json",
        ]  # fmt: skip

    def start(self) -> None:
        """Returns when it answers."""
        command = self.command()
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=self.folder)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "server.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the server did not come up"
            time.sleep(0.5)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            with urllib.request.urlopen(f"{self.url}/status", timeout=5):
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


def variables(url: str, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
    """What a client of a server needs, and all it needs."""
    return {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip


class Gate:
    """Passes requests on to a server, counts them, and refuses those that it is told to.

    Args:
        url: The server's.
    """

    def __init__(self, url: str) -> None:
        self.counts: Counter[str] = Counter()
        self.refuse: Callable[[str, str], bool] = lambda method, path: False
        """Of which requests the answer is 503 SlowDown."""
        host, _, port = url.removeprefix("http://").partition(":")
        gate = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                body = self._body()
                kind = self.command
                if kind == "GET" and ("list-type=" in self.path or "prefix=" in self.path):
                    kind = "LIST"
                gate.counts[kind] += 1
                if gate.refuse(kind, self.path):
                    gate.counts["503"] += 1
                    self._answer(503, [("Content-Type", "application/xml")], SLOW_DOWN)
                    return
                server = http.client.HTTPConnection(host, int(port), timeout=120)
                server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in ("connection", "expect"):
                        server.putheader(name, value)
                server.endheaders(body or None)
                answer = server.getresponse()
                content = answer.read()
                headers = [(name, value) for name, value in answer.getheaders()
                           if name.lower() not in ("transfer-encoding", "connection", "content-length")]  # fmt: skip
                size = answer.getheader("Content-Length") if self.command == "HEAD" else None
                self._answer(answer.status, headers, content, size)
                server.close()

            def _body(self) -> bytes:
                """The request's body as it came: in chunks, if it came so."""
                if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                lines = []
                while size := int((head := self.rfile.readline()).split(b";")[0], 16):
                    lines += [head, self.rfile.read(size + 2)]
                return b"".join([*lines, head, self.rfile.readline()])

            def _answer(
                self, status: int, headers: list[tuple[str, str]], content: bytes, size: str | None = None
            ) -> None:
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", size or str(len(content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing: the counts tell."""

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Clients that hang up are theirs to explain."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.real.object_store", description=__doc__)
    parser.add_argument("folder", type=Path)
    store = ObjectStore(parser.parse_args().folder.resolve())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server ends with it, as it does at Ctrl-C
    try:
        store.start()
        for name, value in variables(store.url).items():
            print(f"export {name}={shlex.quote(value)}")
        print("# until Ctrl-C; make a bucket by writing to s3://NAME?allow_bucket_creation=true", flush=True)
        signal.pause()
    except KeyboardInterrupt:
        pass
    finally:
        store.stop()


if __name__ == "__main__":
    main()
