"""What `doctor` says about a machine."""

import json
from pathlib import Path

import pytest

from emberline.pipelines.console import machine_checks
from emberline.pipelines.console.views import doctor_view


def test_a_good_machine_is_ready(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = doctor_view(["--workspace", str(tmp_path), "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db"])
    assert {"java", "disk", "ports", "gpu", "airflow apart", "mlflow store"} <= found["checks"].keys()
    assert "FAIL" not in capsys.readouterr().err
    json.dumps(found)


def test_what_is_wrong_comes_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_checks, "LEAST_DISK_GIB", 10**9)
    monkeypatch.setattr(machine_checks.socket, "gethostname", lambda: "no-such-host.invalid")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "nvidia-smi").write_text("#!/bin/sh\necho 'NVIDIA H200'\necho 'NVIDIA H200'\n")
    (tools / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    checks = {item.name: item for item in machine_checks.machine_checks(tmp_path.as_uri(), "http://127.0.0.1:9", None)}
    bad = {name for name, item in checks.items() if not item.good}
    assert bad == {"disk", "ports", "gpu", "mlflow store"}
    assert all(checks[name].advice for name in bad)
    assert "NVIDIA H200, NVIDIA H200; TensorFlow finds 0" in checks["gpu"].found


@pytest.mark.slow
def test_a_cluster_is_counted(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/mlflow.db"
    *_, cluster = machine_checks.machine_checks(tmp_path.as_uri(), store, "local-cluster[2,1,1024]")
    assert cluster.good
    assert "2 executors, 2 cores" in cluster.found
