"""What a training process uses of its machine, told with its signs of life. Imports neither TensorFlow nor Spark."""

import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

GIB = 2**30
GPU_SECONDS = 3
"""How long the driver of the GPUs may take to answer; a sign of life must not wait for it."""


class Usage:
    """Measures this process and what it has started; each call covers the time since the one before."""

    def __init__(self) -> None:
        self._asked = time.monotonic()
        self._busy = self._seconds()
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")  # none: all of them; empty: none
        self._sees_gpus = visible != "" and shutil.which("nvidia-smi") is not None
        self._chosen = [f"--id={visible}"] if visible else []

    def __call__(self) -> dict[str, float]:
        """Returns figures by name.

        Returns:
            `cpu_percent` (100 is one core), `memory_gib` (resident), and where this process sees GPUs
            `gpu_percent` (mean) and `gpu_memory_gib` (sum).
        """
        now, busy = time.monotonic(), self._seconds()
        percent = 100 * (busy - self._busy) / max(now - self._asked, 1e-9)
        self._asked = now
        self._busy = busy
        return {"cpu_percent": percent, "memory_gib": _resident() / GIB} | self._gpu()

    @staticmethod
    def _seconds() -> float:
        spent = os.times()
        return spent.user + spent.system + spent.children_user + spent.children_system

    def _gpu(self) -> dict[str, float]:
        if not self._sees_gpus:
            return {}
        query = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
        try:
            command = [*query, *self._chosen]
            said = subprocess.run(command, capture_output=True, text=True, timeout=GPU_SECONDS, check=True)
            rows = [[float(cell) for cell in line.split(",")] for line in said.stdout.strip().splitlines()]
        except (OSError, ValueError, subprocess.SubprocessError):
            self._sees_gpus = False  # it will not answer better the next time
            return {}
        if not rows:
            return {}
        return {
            "gpu_percent": sum(row[0] for row in rows) / len(rows),
            "gpu_memory_gib": sum(row[1] for row in rows) / 1024,
        }


def _resident() -> int:
    """Returns bytes of this process in memory: now where Linux tells, else the most there ever were."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
