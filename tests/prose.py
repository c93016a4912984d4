"""The check of what people read: `python -m tests.prose`, a part of `make lint`.

It reads headings and text of the Markdown files, docstrings, and the messages of errors, and prints a line for each
passage that breaks a rule. The rules are plain lists, each of them from a passage that confused a reader:
`PHRASES` are expressions to avoid with the words to use instead, `NO_NOUN_PHRASE` are words that make a heading a
sentence, a question or a command, `NO_VERB` are words that only look like the verb a function's docstring begins with.

General linters of prose are of no use here: proselint takes no rules from outside, and vale's package on PyPI downloads
its program when it first runs.
"""

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
ROOMS = ("features", "models", "pipelines", "jobs", "airflow_dags", "benchmarks")
PUBLIC = ("features", "models", "pipelines", "jobs", "airflow_dags", "emberline")
"""Folders of code that other people import or read the reference of; benchmarks are programs."""
GUIDES = ("*.md", "docs/*.md")

LONGEST_SENTENCE = 45
"""Words of a sentence. A colon or a semicolon ends one too."""

PHRASES: dict[str, str] = {
    r"made[- ]up\b": "synthetic",
    r"so far as": "if, where",
    r"for good\b(?! rows)": "permanently, finally",
    r"(?:is|are|was|were) told\b": "say who reports it, and where",
    r"\btold of\b|\btells? of\b": "described, describes",
    r"says? of (?:itself|themselves)": "describes, declares",
    r"what came in": "the value received",
    r"keeps? the clock|on the clock\b": "schedules",
    r"thought to the end": "not handled, a known limit",
    r"\b(?:hitherto|thereof|therein|whereby|hereby|thereafter|whilst|amongst|nought|naught|upon)\b": "plain words",
    r"\bought to\b": "should, must",
    r"\bmay well\b": "can",
    r"\bsits?\b|\bsitting\b": "is, lies",
    r"that he lives|as .{1,20} has it\b": "plain words",
    r"people meet\b": "common",
    r"\b(?:goes|gone|go|going) on with\b": "continues, resumes",
    r"learn\w* by trying": "reinforcement learning",
    r"for want of": "for lack of",
    r"(?:its|their) own affair": "its own, independent",
    r"come to nothing|comes to nothing": "fails",
    r"without a word\b": "silently",
    r"whatever (?:it is|they are) called": "under any name",
    r"\bat hand\b": "available",
    r"\bone's own\b": "your own, custom",
}
"""Expression to avoid (a regular expression over lower-case text) and what to write instead."""

NO_NOUN_PHRASE = {
    "what", "how", "why", "when", "where", "which", "who", "whose", "whom", "whether", "if", "is", "are", "was",
    "were", "has", "have", "had", "does", "do", "did", "can", "could", "may", "might", "must", "shall", "should",
    "will", "would", "gets", "becomes", "lives", "goes", "comes", "that", "not", "try", "read", "look", "run",
    "learn", "bring", "see", "make", "take", "find", "give", "let", "keep", "put",
}  # fmt: skip
"""A heading with one of these words is a sentence, a question or a command."""

NO_VERB = {
    "always", "as", "batches", "bytes", "columns", "facts", "files", "has", "ids", "images", "is", "its", "keys",
    "lines", "metrics", "milliseconds", "models", "names", "numbers", "pairs", "pixels", "predictions", "rows",
    "scalars", "seconds", "settings", "sounds", "statistics", "tags", "tensors", "texts", "this", "types", "values",
    "was", "weights", "words",
}  # fmt: skip
"""Words that end like a verb in the third person: a docstring that begins with one is a noun phrase or a riddle."""

REASONS = {"ImageError", "SoundError", "DamagedRecordError", "MalformedError", "ArgumentTypeError", "ConnectionError"}
"""Errors whose message completes a sentence that begins with a name: `cat.jpg: is empty`."""

VALUE = "¤"
"""Stands for code and for values in the text that is checked."""

Passage = tuple[int, str]
"""Line and text of a paragraph."""


@dataclass(frozen=True)
class Finding:
    """A passage that breaks a rule.

    Args:
        path: File, relative to the repository.
        line: Line of the passage, from 1; of a docstring its first line.
        rule: What is wrong, and what to write instead.
        text: The beginning of the passage.
    """

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


def check_heading(text: str) -> Iterator[str]:
    """Yields what is wrong with a heading: it is a noun phrase without punctuation at its end."""
    if re.search(r"[.?!;:]$", text):
        yield "a heading has no punctuation at its end"
    words = re.findall(r"[a-z'-]+", text.lower())
    if verbs := [word for word in words if word in NO_NOUN_PHRASE]:
        yield f"a heading is a noun phrase, without {verbs[0]!r}"


def check_phrases(text: str) -> Iterator[str]:
    """Yields the expressions of a text that are to be avoided, each with a replacement."""
    plain = " ".join(text.lower().split())
    for pattern, instead in PHRASES.items():
        if found := re.search(pattern, plain):
            yield f"{found.group()!r}, write: {instead}"


def check_sentences(text: str) -> Iterator[str]:
    """Yields a complaint for each sentence of more than `LONGEST_SENTENCE` words."""
    for sentence in re.split(r"(?<=[.!?:;…])\s+", " ".join(text.split())):
        words = sentence.split()
        if len(words) > LONGEST_SENTENCE:
            yield f"a sentence of {len(words)} words, at most {LONGEST_SENTENCE}: '{' '.join(words[:8])} …'"


def check_message(text: str) -> Iterator[str]:
    """Yields what is wrong with the message of an error: it is whole sentences."""
    if re.match(r"[a-z]+ ", text):
        yield "a message begins with a capital letter"
    if not re.search(r"[.?!…:\"'`)\]}¤]$", text.strip()):
        yield "a message ends with a full stop"


def check_summary(text: str) -> Iterator[str]:
    """Yields what is wrong with the docstring of a function: its first word is a verb in the third person."""
    first = (text.split() or [""])[0]
    verb = re.match(r"[A-Z][a-z-]*[a-rt-z]s(?=[\s,;:.(]|$)", text.strip())
    if not verb or verb.group().lower() in NO_VERB:
        yield (
            "the docstring of a function begins with a verb in the third person, which says what a call does "
            f"('Returns the …', 'Writes …', 'Checks …'), not with {first!r}"
        )


def read_markdown(text: str) -> tuple[list[Passage], list[Passage]]:
    """Returns the headings and the other paragraphs of a Markdown file, without code."""
    headings: list[Passage] = []
    paragraphs: list[Passage] = []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    line, opened = 1, ""
    for token in tokens:
        line = token.map[0] + 1 if token.map else line
        if token.type == "inline":
            passage = (line, "".join(_plain(token.children or [])))
            (headings if opened == "heading_open" else paragraphs).append(passage)
        opened = token.type
    return headings, paragraphs


def _plain(children: Sequence[Token]) -> Iterator[str]:
    for child in children:
        match child.type:
            case "text":
                yield child.content
            case "code_inline":
                yield VALUE
            case "softbreak" | "hardbreak":
                yield " "


def read_docstrings(tree: ast.Module) -> Iterator[Passage]:
    """Yields the docstrings of a module, its classes and functions, and the texts below its constants and fields."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for statement in node.body:
            match statement:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    yield statement.lineno, text


def read_summaries(tree: ast.Module | ast.ClassDef | ast.If | ast.Try) -> Iterator[Passage]:
    """Yields the first paragraphs of the docstrings of public functions and methods.

    Properties are nouns and fixtures are values, so their docstrings are noun phrases; names with `_` are free.
    """
    for node in (*tree.body, *getattr(tree, "orelse", ())):
        match node:
            case ast.ClassDef() | ast.If() | ast.Try():
                yield from read_summaries(node)
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not (node.name.startswith("_") or _is_noun(node)):
                if text := ast.get_docstring(node):
                    yield node.body[0].lineno, text.partition("\n\n")[0]


def _is_noun(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Returns whether a decorator makes a function an attribute or a fixture."""
    called = {ast.unparse(decorator).partition("(")[0].rpartition(".")[2] for decorator in function.decorator_list}
    return bool(called & {"property", "cached_property", "setter", "fixture"})


def read_messages(tree: ast.Module) -> Iterator[Passage]:
    """Yields the messages of the errors that a module raises."""
    for node in ast.walk(tree):
        match node:
            case ast.Raise(exc=ast.Call(func=func, args=[first, *_])):
                name = getattr(func, "id", getattr(func, "attr", ""))
                if name not in REASONS and (text := _text(first)):
                    yield node.lineno, text


def _text(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (_text(left) or VALUE) + (_text(right) or VALUE)
        case _:
            return ""


def paragraphs_of(docstring: str) -> list[str]:
    """Returns the paragraphs, items and arguments of a docstring, without examples, tables and drawings."""
    kept: list[str] = []
    in_example = False
    for line in docstring.expandtabs().splitlines():
        text = line.strip()
        in_example = bool(text) and (in_example or text.startswith(">>>"))
        drawn = text.startswith("|") or bool(re.search(r"[─│└┐]|\S {3,}\S", text))
        kept.append("" if in_example or drawn else text)
    text = re.sub(r"`[^`]*`", VALUE, "\n".join(kept))
    return [part for part in re.split(r"\n\s*\n|\n(?=[-*] |\w+: )", text) if part.strip()]


def check_guide(path: str, text: str) -> Iterator[Finding]:
    """Yields what is wrong with a Markdown file."""
    headings, paragraphs = read_markdown(text)
    for line, heading in headings:
        yield from (Finding(path, line, wrong, heading) for wrong in check_heading(heading))
    for line, passage in [*headings, *paragraphs]:
        yield from _check_passage(path, line, passage)


def check_references(text: str, folder: Path) -> Iterator[tuple[int, str]]:
    """Yields line and complaint for each link, path and module name that leads nowhere.

    Names with `mine` or `NAME` in them stand for any.

    Args:
        text: A Markdown file.
        folder: Where it lies.
    """
    for line, content in enumerate(text.splitlines(), 1):
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", content):
            path = folder / target
            if target and not path.exists():
                yield line, f"the link {target!r} leads nowhere"
            elif anchor and anchor not in _anchors(path.read_text() if target else text):
                yield line, f"no heading has the anchor {anchor!r}"
        for name in re.findall(rf"`((?:{'|'.join(ROOMS)}|tests|docs)/[\w/.-]+)`", content):
            if not (ROOT / name).exists() and not re.search(r"\bmine\b|NAME|<|/room/", name):
                yield line, f"there is no {name!r}"
        yield from ((line, wrong) for wrong in check_module_names(content))


def check_module_names(text: str) -> Iterator[str]:
    """Yields a complaint for each name below `emberline` that is neither a module nor a name in one."""
    for name in re.findall(r"\bemberline\.((?:features|models|pipelines|jobs)\.[a-z_.]+[a-z_])\b", text):
        if not _is_module_or_name(name.split(".")):
            yield f"there is no module 'emberline.{name}'"


def _anchors(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def _is_module_or_name(parts: list[str]) -> bool:
    """Returns whether parts are a module, or a name in one."""
    whole, home = ROOT.joinpath(*parts), ROOT.joinpath(*parts[:-1])
    for path in (whole.with_suffix(".py"), whole / "__init__.py"):
        if path.exists():
            return True
    sources = [path for path in (home.with_suffix(".py"), home / "__init__.py") if path.exists()]
    return any(re.search(rf"\b{parts[-1]}\b", path.read_text()) for path in sources)


def check_module(path: str, text: str) -> Iterator[Finding]:
    """Yields what is wrong with the docstrings and messages of a Python file."""
    tree = ast.parse(text)
    for line, docstring in read_docstrings(tree):
        yield from (Finding(path, line, "a reference", wrong) for wrong in check_module_names(docstring))
        for paragraph in paragraphs_of(docstring):
            yield from _check_passage(path, line, paragraph)
    for line, message in read_messages(tree):
        yield from (Finding(path, line, wrong, message[:100]) for wrong in check_message(message))
        yield from _check_passage(path, line, message)


def check_summaries(path: str, text: str) -> Iterator[Finding]:
    """Yields what is wrong with the first lines of the docstrings of a Python file's functions."""
    for line, summary in read_summaries(ast.parse(text)):
        yield from (Finding(path, line, wrong, summary.splitlines()[0]) for wrong in check_summary(summary))


def _check_passage(path: str, line: int, passage: str) -> Iterator[Finding]:
    beginning = " ".join(passage.split())[:100]
    for wrong in (*check_phrases(passage), *check_sentences(passage)):
        yield Finding(path, line, wrong, beginning)


def check_tree(root: Path = ROOT) -> Iterator[Finding]:
    """Yields what is wrong with the whole repository."""
    for pattern in GUIDES:
        for path in sorted(root.glob(pattern)):
            yield from check_guide(str(path.relative_to(root)), path.read_text())
            for line, wrong in check_references(path.read_text(), path.parent):
                yield Finding(str(path.relative_to(root)), line, "a reference", wrong)
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            yield from check_module(str(path.relative_to(root)), path.read_text())
    for room in PUBLIC:
        for path in sorted((root / room).rglob("*.py")):
            yield from check_summaries(str(path.relative_to(root)), path.read_text())


def main() -> int:
    """Prints what is wrong; returns the exit code."""
    findings = list(check_tree())
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
