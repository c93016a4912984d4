"""The guide's example runs as printed, and prints what it says."""

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "feature_columns.md"


def test_the_example_runs(spark: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    known: dict[str, object] = {"spark": spark, "folder": str(tmp_path)}
    exec(compile("\n".join(blocks), str(GUIDE), "exec"), known)
    said = re.findall(r"^print\(.*\)  # (.*)$", "\n".join(blocks), re.MULTILINE)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == len(said) == 4
    assert all(text.startswith(line) for line, text in zip(printed, said, strict=True)), printed
    assert known["lengths"].numpy().tolist() == [5, 5]  # type: ignore[attr-defined]
