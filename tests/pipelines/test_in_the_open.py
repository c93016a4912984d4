"""A whole pipeline as a stranger on the machine sees it: what it says, what it leaves behind, and where it listens."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRETS = {
    "MLFLOW_TRACKING_PASSWORD": "planted-password-0815",
    "AWS_ACCESS_KEY_ID": "planted-key-1234",
    "AWS_SECRET_ACCESS_KEY": "planted-secret-5678",
}
LISTENING = "0A"


@dataclass(frozen=True)
class Seen:
    """What was seen of `emberline run`.

    Args:
        code: Its exit code.
        stdout: All of it.
        stderr: All of it.
        workspace: What it wrote.
        addresses: Every address that a process of its tree listened on, by what the process was.
    """

    code: int
    stdout: str
    stderr: str
    workspace: Path
    addresses: dict[str, set[str]]


def sockets_listening() -> dict[str, str]:
    """Inodes of listening TCP sockets, with their addresses."""
    found = {}
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING:
                packed = bytes.fromhex(fields[1].partition(":")[0])
                words = b"".join(packed[start : start + 4][::-1] for start in range(0, len(packed), 4))
                found[fields[9]] = socket.inet_ntop(family, words)
    return found


def addresses_of(marker: str) -> dict[str, set[str]]:
    listening, found = sockets_listening(), {}
    for entry in Path("/proc").iterdir():
        try:
            if not entry.name.isdigit() or marker.encode() not in (entry / "environ").read_bytes():
                continue
            command = (entry / "cmdline").read_bytes().decode().replace("\0", " ")
            for handle in (entry / "fd").iterdir():
                inode = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(handle))
                if inode and inode[1] in listening:
                    found.setdefault(command[:200], set()).add(listening[inode[1]])
        except OSError:
            continue  # it ended while we looked
    return found


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    workspace = tmp_path_factory.mktemp("workspace")
    inherited = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    marker = f"EMBERLINE_TEST={workspace}"
    environment = (
        inherited | SECRETS | {"PYTHONPATH": str(ROOT), "EMBERLINE_LOG": "json", "EMBERLINE_TEST": str(workspace)}
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "emberline", "run", "iris_dnn", "--workspace", str(workspace), "--master", "local[2]",
         "--set", "training.mode=local", "--set", "training.epochs=2"],
        env=environment, cwd=workspace, stdout=subprocess.PIPE, stderr=(workspace / "stderr").open("w"), text=True,
    )  # fmt: skip
    addresses: dict[str, set[str]] = {}
    while process.poll() is None:
        for command, found in addresses_of(marker).items():
            addresses.setdefault(command, set()).update(found)
        time.sleep(0.3)
    stdout = process.stdout.read() if process.stdout else ""
    stderr = (workspace / "stderr").read_text()
    (workspace / "stderr").unlink()
    return Seen(process.returncode, stdout, stderr, workspace, addresses)


@pytest.mark.slow
def test_no_secret_is_said_or_written(seen: Seen) -> None:
    assert seen.code == 0, seen.stderr[-3000:]
    files = [path for path in seen.workspace.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"mlflow.db", "training.json", "manifest.json", "environment.txt", "MLmodel"} <= names, "it looks everywhere"
    for secret in SECRETS.values():
        assert secret not in seen.stdout + seen.stderr
        assert not [str(path) for path in files if secret.encode() in path.read_bytes()]


@pytest.mark.slow
def test_it_listens_on_loopback_alone(seen: Seen) -> None:
    assert any("java" in command for command in seen.addresses), "Spark listened"
    everywhere = {
        command: found - {"127.0.0.1", "::1", "::ffff:127.0.0.1"} for command, found in seen.addresses.items()
    }
    assert not {command: found for command, found in everywhere.items() if found}


@pytest.mark.slow
def test_driver_executors_and_chief_write_objects_that_name_their_run(seen: Seen) -> None:
    lines = [json.loads(line) for line in seen.stderr.splitlines() if line.startswith("{")]
    others = [line for line in seen.stderr.splitlines() if not line.startswith("{")]
    assert {line["role"] for line in lines} == {"driver", "executor", "chief"}
    told = {(line["role"], line["message"]): line for line in lines}
    shard, epoch = told["executor", "shard written"], told["chief", "epoch"]
    assert {"run", "stage", "partition", "attempt", "rows"} <= shard.keys()
    assert (epoch["run"], epoch["rank"]) == (json.loads(seen.stdout.splitlines()[-1])["run_id"], 0)
    steps = {line["step"] for line in lines if line["role"] == "driver" and "run" in line}
    assert {"etl", "train", "evaluate", "register", "score"} <= steps
    # Spark and TensorFlow greet as they like; of ours, every line is an object.
    assert not [line for line in others if line.split(maxsplit=1)[:1] in [[step] for step in steps]]
