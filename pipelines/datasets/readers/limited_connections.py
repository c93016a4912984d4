"""HTTP connections that end at a deadline of the whole exchange, not of a single byte."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

_limits = threading.local()


class TimeLimitError(OSError):
    """An exchange that took longer than it may."""


class _Limit:
    """One exchange: the connections that it has used, and whether its time is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.over = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def add(self, used: socket.socket | None) -> None:
        with self._lock:
            if self.over:
                raise TimeLimitError(f"It took more than {self.seconds:g} s.")
            if used is not None:
                self._sockets.append(used)

    def end(self) -> None:
        with self._lock:
            self.over = True
            for used in self._sockets:
                with suppress(OSError):  # closed by now
                    used.shutdown(socket.SHUT_RDWR)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Ends what this thread does over connections of `limited_pools` when the time is over.

    Raises:
        TimeLimitError: if it was over.
    """
    limit = _limits.now = _Limit(seconds)
    timer = threading.Timer(seconds, limit.end)
    timer.daemon = True
    timer.start()
    try:
        yield
        limit.add(None)
    except Exception as error:
        if limit.over:
            raise TimeLimitError(f"It took more than {seconds:g} s.") from error
        raise
    finally:
        timer.cancel()
        _limits.now = None


def limited_pools() -> dict[str, Any]:
    """Returns the classes of pools by scheme, for `urllib3.PoolManager`."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            _register(self.sock)

        def request(self, *what: Any, **named: Any) -> None:
            _register(self.sock)
            super().request(*what, **named)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            _register(self.sock)

        def request(self, *what: Any, **named: Any) -> None:
            _register(self.sock)
            super().request(*what, **named)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _register(used: socket.socket | None) -> None:
    limit = getattr(_limits, "now", None)
    if limit is not None:
        limit.add(used)
