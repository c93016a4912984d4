"""The examples of `docs/statistics.md`, run as they stand there."""

import re
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[3] / "docs" / "statistics.md"


def test_the_examples_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = "\n".join(re.findall(r"```python\n(.*?)```", GUIDE.read_text(), re.DOTALL))
    exec(compile(blocks, str(GUIDE), "exec"), {"folder": str(tmp_path)})
    promised = re.findall(r"^print\(.*\)  # (.*)$", blocks, re.MULTILINE)
    assert len(promised) == 4
    assert capsys.readouterr().out.splitlines() == promised
