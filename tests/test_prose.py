"""The check of what people read: each rule with passages that it lets pass and passages that it finds."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import prose

ROOT = Path(__file__).parents[1]


def test_the_repository_passes() -> None:
    assert [str(finding) for finding in prose.check_tree()] == []


@pytest.mark.parametrize("heading", ["Restart behaviour", "Known limits", "DAG for your own recipe", "`training.mode`"])
def test_a_noun_phrase_is_a_heading(heading: str) -> None:
    headings, _ = prose.read_markdown(f"# {heading}\n")
    assert list(prose.check_heading(headings[0][1])) == []


@pytest.mark.parametrize(
    "heading",
    [
        "What a missing value becomes",
        "How ranks are started",
        "Try it",
        "A submission is made once",
        "Limits:",
        "Done.",
    ],
)
def test_a_sentence_is_no_heading(heading: str) -> None:
    assert list(prose.check_heading(heading))


@pytest.mark.parametrize("name", ["What", "Where", "Is"])
def test_code_in_a_heading_is_not_read(name: str) -> None:
    headings, _ = prose.read_markdown(f"## The class `{name}`\n")
    assert list(prose.check_heading(headings[0][1])) == []


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("who runs it, that he lives, and how it ended", "plain words"),
        ("This has not been thought to the end.", "a known limit"),
        ("Errors say what\ncame in.", "the value received"),
        ("Airflow keeps the clock.", "schedules"),
        ("Made-up rows.", "synthetic"),
        ("The worker is told its port.", "who reports it"),
    ],
)
def test_an_expression_to_avoid_has_a_replacement(text: str, instead: str) -> None:
    assert any(instead in wrong for wrong in prose.check_phrases(text))


@pytest.mark.parametrize("text", ["Predictions for good rows are kept.", "The basis is synthetic.", "A website."])
def test_similar_words_pass(text: str) -> None:
    assert list(prose.check_phrases(text)) == []


def test_a_sentence_has_an_end() -> None:
    long = " ".join(["word"] * (prose.LONGEST_SENTENCE + 1))
    assert list(prose.check_sentences(f"Short. {long}."))
    assert list(prose.check_sentences(f"{long[: len(long) // 2]}. {long[len(long) // 2 :]}.")) == []


@pytest.mark.parametrize(
    "message", ["No file at ¤.", "¤ holds no files. Pass another folder.", "Expected one of 'a', 'b'", "¤: ¤"]
)
def test_a_sentence_is_a_message(message: str) -> None:
    assert list(prose.check_message(message)) == []


@pytest.mark.parametrize("message", ["no file at ¤.", "No file was there", "bad value"])
def test_a_fragment_is_no_message(message: str) -> None:
    assert list(prose.check_message(message))


@pytest.mark.parametrize(
    "summary", ["Returns the rows.", "Trains; a retry resumes.", "Re-reads a file, if there is one."]
)
def test_a_verb_in_the_third_person_begins_a_docstring(summary: str) -> None:
    assert list(prose.check_summary(summary)) == []


@pytest.mark.parametrize(
    "summary",
    ["Copy one file.", "Rows of a split.", "What is wrong.", "Java's hash.", "Loss of a row.", "`embedding`.", ""],
)
def test_a_noun_phrase_or_a_command_begins_no_docstring(summary: str) -> None:
    assert any("third person" in wrong for wrong in prose.check_summary(summary))


FUNCTIONS = '''
class Column:
    """A column."""

    @property
    def rows(self):
        """Number of rows."""

    @classmethod
    def of(cls, text):
        """The column of a text.

        Args:
            text: What it is read from.
        """

    def __len__(self):
        """Number of rows."""

def _read():
    """Text of a file."""

@pytest.fixture(scope="session")
def spark():
    """A session."""

def read():
    """Reads a file."""

    def piece():
        """A piece of it."""

if LINUX:
    def size():
        """Measures a file."""
else:
    def size():
        """Length of a file."""
'''


def test_public_functions_have_summaries_and_properties_have_names() -> None:
    found = [(finding.line, finding.text) for finding in prose.check_summaries("m.py", FUNCTIONS)]
    assert found == [(11, "The column of a text."), (38, "Length of a file.")]


SOURCE = '''"""A module that is made up."""

LIMIT = 3
"""So far as it goes."""


class Column:
    """A column.

    Args:
        field: What came in.

    Example:
        >>> made_up = "for good"
    """

    def read(self, uri):
        """Reads `for good`."""
        if not uri:
            raise ValueError("no " + "file")
        raise ImageError(f"is empty: {uri}")
'''


def test_a_module_is_read_with_its_lines(tmp_path: Path) -> None:
    found = [(finding.line, finding.rule.partition(",")[0]) for finding in prose.check_module("m.py", SOURCE)]
    assert found == [
        (1, "'made up'"),
        (4, "'so far as'"),
        (8, "'what came in'"),
        (20, "a message begins with a capital letter"),
        (20, "a message ends with a full stop"),
    ]


GUIDE = """# Good heading

A paragraph with `for good` in code, which is
upon
two lines.

    what came in: code is not read

```
made-up
```

| table | cell |
|---|---|
| x | a made-up value |
"""


def test_a_guide_is_read_with_its_lines() -> None:
    found = [(finding.line, finding.rule) for finding in prose.check_guide("g.md", GUIDE)]
    assert found == [(3, "'upon', write: plain words"), (15, "'made-up', write: synthetic")]


def test_what_a_guide_refers_to_exists(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Known limits\n")
    guide = """[here](other.md#known-limits), [there](other.md#unknown), [nowhere](gone.md), [web](https://example.org/x)
`features/schema.py`, `features/scheme.py`, `pipelines/datasets/mine.py`
`emberline.features.schema.Field`, `emberline.features.schema`, `emberline.features.shema`
`emberline.features.schema.field_`
"""
    assert list(prose.check_references(guide, tmp_path)) == [
        (1, "no heading has the anchor 'unknown'"),
        (1, "the link 'gone.md' leads nowhere"),
        (2, "there is no 'features/scheme.py'"),
        (3, "there is no module 'emberline.features.shema'"),
        (4, "there is no module 'emberline.features.schema.field_'"),
    ]


def test_the_command_fails_where_something_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    (tmp_path / "README.md").write_text("# What it is\n")
    found = list(prose.check_tree(tmp_path))
    assert [str(finding) for finding in found] == [
        "README.md:1: a heading is a noun phrase, without 'what': What it is"
    ]
    monkeypatch.setattr(prose, "check_tree", lambda: found)
    assert prose.main() == 1
    assert "README.md:1" in capsys.readouterr().out


def test_it_runs_as_make_lint_runs_it() -> None:
    command = [sys.executable, "-m", "tests.prose"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "python -m tests.prose" in (ROOT / "Makefile").read_text()
