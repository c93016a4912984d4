"""What a process uses, held against what it does."""

import time
from pathlib import Path

import pytest

from emberline.pipelines.cluster.usage import Usage


def test_cpu_and_memory_follow_what_the_process_does() -> None:
    usage = Usage()
    before = usage()["memory_gib"]
    block = bytearray(300 * 2**20)
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    busy = usage()
    assert busy["memory_gib"] - before == pytest.approx(len(block) / 2**30, abs=0.05)
    assert busy["cpu_percent"] > 20
    time.sleep(0.3)
    assert usage()["cpu_percent"] < busy["cpu_percent"]


def test_gpus_that_the_process_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "$@" >> "${0%/*}/asked"\necho "90, 2048"\necho "50, 1024"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    found = Usage()()
    assert (found["gpu_percent"], found["gpu_memory_gib"]) == (70.0, 3.0)
    assert "--id=2,3" in (tmp_path / "asked").read_text()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "gpu_percent" not in Usage()()


def test_a_driver_of_gpus_that_fails_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text('#!/bin/sh\necho "$@" >> "${0%/*}/asked"\nexit 9\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    usage = Usage()
    assert "gpu_percent" not in usage() | usage()
    assert len((tmp_path / "asked").read_text().splitlines()) == 1
