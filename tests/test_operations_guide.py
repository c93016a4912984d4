"""What the operations guide quotes is what the code says."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GUIDE = (ROOT / "docs" / "operations.md").read_text()
ROOMS = ("features", "models", "pipelines", "jobs")


@cache
def said() -> tuple[str, ...]:
    """Every text of the code, what is put into it as `…`."""
    found = []
    for file in (file for room in ROOMS for file in (ROOT / room).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "…" for part in node.values]
                found.append("".join(map(str, parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.append(node.value)
    return tuple(found)


def quoted() -> list[str]:
    """Messages of the table of failures, and of the paragraph behind it."""
    section = GUIDE.partition("## Common failures")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return [re.findall("`([^`]+)`", row)[0] for row in rows] + re.findall(r"`([^`]+)` \(2\)", section)


def test_there_are_thirteen_and_three() -> None:
    assert len(quoted()) == 16


@pytest.mark.parametrize("message", quoted())
def test_a_quoted_message_is_the_codes(message: str) -> None:
    """All pieces between what differs, in their order, in what one or two neighbouring texts of the code say."""
    pieces = [re.escape(piece.strip()) for piece in message.split("…") if len(piece.strip()) > 3]
    assert sum(map(len, pieces)) > 20, "enough to recognise it by"
    whole = re.compile(".*".join(pieces), re.DOTALL)
    if any(whole.search(text) for text in said()):
        return
    assert all(any(re.search(piece, text) for text in said()) for piece in pieces), message


@pytest.mark.parametrize("module", sorted(set(re.findall(r"python -m (benchmarks\.\w+)", GUIDE))))
def test_the_benchmarks_it_names_are_there(module: str) -> None:
    assert (ROOT / f"{module.replace('.', '/')}.py").exists()
