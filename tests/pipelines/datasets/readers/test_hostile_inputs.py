"""Archives and servers of others: a bad member or address costs one row, and neither memory nor hours."""

import io
import json
import resource
import tarfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from emberline.features.validation.rows import RAW
from emberline.pipelines.datasets.readers import image_table
from emberline.pipelines.datasets.readers.executor_rows import ImageRow, in_batches
from emberline.pipelines.datasets.readers.image_archive import read_archive
from emberline.pipelines.datasets.readers.image_table import Fetch

IMAGE = b"\xff\xd8\xff an image\xff\xd9"


def archive(path: Path, members: list[tuple[str | bytes, bytes]], mode: str = "w") -> str:
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT, encoding="utf-8", errors="surrogateescape") as made:
        for name, content in members:
            info = tarfile.TarInfo(name if isinstance(name, str) else name.decode("utf-8", "surrogateescape"))
            info.size = len(content)
            made.addfile(info, io.BytesIO(content))
    return str(path)


def rows(uri: str) -> dict[str, ImageRow]:
    import pyarrow as pa

    found = list(read_archive(uri, None))
    kinds = [(name, pa.binary() if name == "image" else pa.string()) for name in ("k", "image", "l", RAW, "s", "f")]
    assert sum(batch.num_rows for batch in in_batches(iter(found), pa.schema(kinds))) == len(found), "can be written"
    return {row.key: row for row in found}


def test_a_bad_member_or_label_is_a_rejected_row(tmp_path: Path) -> None:
    found = rows(
        archive(
            tmp_path / "a.tar",
            [("1.jpg", IMAGE), ("1.cls", b"cat"), (b"caf\xe9.jpg", IMAGE), (b"caf\xe9.cls", b"dog"), ("2.jpg", IMAGE),
             ("2.json", b'{"label": "\\ud800"}'), ("3.jpg", IMAGE), ("3.json", b"[" * 100_000), ("4.jpg", IMAGE),
             ("4.cls", b"\xff"), ("5.jpg", IMAGE), ("5.cls", b"x" * (2 << 20)), ("6.jpg", IMAGE),
             ("6.json", b'{"cls": 7}'), ("7.txt", b"no image")],
        )
    )  # fmt: skip
    assert [(key, row.label) for key, row in found.items() if row.fault is None] == [
        ("a.tar/1", "cat"),
        ("a.tar/caf\\xe9", "dog"),
        ("a.tar/6", "7"),
    ]
    for number in (2, 3, 4, 5):
        assert found[f"a.tar/{number}"].fault == "the member with the label cannot be read"
    assert "no image among the members: 'txt'" in str(found["a.tar/7"].fault)


def test_what_an_archive_keeps_is_bounded(tmp_path: Path) -> None:
    zeros = bytes(32 << 20)
    members = [("1.jpg", IMAGE), ("1.cls", b"cat"), *((f"1.{number}.bin", zeros) for number in range(8))]
    members += [("2.jpg", zeros), ("2.png", zeros), ("2.cls", b"dog")]
    uri = archive(tmp_path / "a.tar", [*members])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = rows(uri)
    assert (found["a.tar/1"].label, found["a.tar/1"].fault) == ("cat", None)
    assert len(found) == 2
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 180, "MiB; eight members of 32 MiB that nobody asks for are not kept"


class Hostile(BaseHTTPRequestHandler):
    calls: int = 0

    def do_GET(self) -> None:
        Hostile.calls += 1
        if self.path == "/later":
            self.send_response(503)
            self.send_header("Retry-After", "3600")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/drip":
            self.send_response(200)
            self.send_header("Content-Length", "100000")
            self.end_headers()
            self._drip(b"x" * 100)
        elif self.path == "/headers":
            self._drip(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100)
        else:
            self.send_response(200)
            self.send_header("Content-Length", str(len(IMAGE)))
            self.end_headers()
            self.wfile.write(IMAGE)

    def _drip(self, content: bytes) -> None:
        try:
            for byte in content:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(0.3)
        except OSError:
            pass  # the client has given up, as it should

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    http.daemon_threads = True
    threading.Thread(target=http.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()


@pytest.mark.parametrize(
    ("path", "said"), [("/later", "answered 503"), ("/drip", "took more than 2 s"), ("/headers", "took more than 2 s")]
)
def test_no_address_is_waited_for_longer_than_it_may_take(
    server: str, path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_table, "ADDRESS_SECONDS", 2.0)
    fetch, began = Fetch("/nowhere"), time.monotonic()
    content, fault = fetch.fetch(f"{server}{path}")
    assert content is None
    assert said in str(fault)
    assert time.monotonic() - began < 15
    assert fetch.fetch(f"{server}/good") == (IMAGE, None), "the next address has its own time"


def test_json_members_are_read_as_before(tmp_path: Path) -> None:
    members = [("x/1.png", IMAGE), ("x/1.json", json.dumps({"label": "кот"}).encode())]
    (row,) = read_archive(archive(tmp_path / "a.tar", members), None)
    assert (row.key, row.label, row.fault) == ("a.tar/x/1", "кот", None)
