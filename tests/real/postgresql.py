"""A PostgreSQL on loopback, of Debian's package, which trusts everybody there."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.real.hadoop import free_port

USER = "reader"


@dataclass
class PostgreSQL:
    """The server; its folder is gone when it stops.

    Args:
        user: Who owns everything.
    """

    user: str = USER
    port: int = field(default_factory=free_port)
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="emberline-pg-")))

    def start(self) -> None:
        """Returns when it answers."""
        if self._account:
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "-D", f"{self.folder}/data", "-A", "trust", "-U", self.user)
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-o", options, "-w", "-l", f"{self.folder}/log", "start")

    def sql(self, text: str) -> str:
        """Returns what statements say."""
        return self._run("psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", self.user, "-v", "ON_ERROR_STOP=1",
                         "-At", "postgres", given=text)  # fmt: skip

    def stop(self) -> None:
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(self.folder)

    @property
    def _account(self) -> list[str]:
        """It does not run as root."""
        return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def _run(self, program: str, *words: str, given: str | None = None) -> str:
        command = [*self._account, str(programs() / program), *words]
        # A server keeps the output of what starts it: through a pipe, nobody would see its end.
        with tempfile.TemporaryFile("w+") as said:
            subprocess.run(command, input=given, text=True, check=True, stdout=said, stderr=said, cwd="/", timeout=300)
            said.seek(0)
            return said.read()


def programs() -> Path:
    """Debian keeps them by version."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("there is no PostgreSQL: install Debian's package postgresql")
    return found[-1].parent
