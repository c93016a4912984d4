"""`evaluation.html`: what stands in it, that nothing gets out of it, and which numbers it calls the best."""

import html.parser
import re
import subprocess
import sys
from pathlib import Path

import pytest

from emberline.pipelines.evaluation.charts import SIDE, errors, precision_recall, roc
from emberline.pipelines.evaluation.page import PageModel, differing, evaluation_html, metric_rows, number
from emberline.pipelines.runtime.code_archive import bundle

ATTACK = "<script>alert(1)</script>"


class Reader(html.parser.HTMLParser):
    """Tags with their attributes, and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def binary(name: str, auc: float = 0.9, digest: str = "d") -> PageModel:
    metrics = {"auc": auc, "log_loss": 1 - auc, "positive_rate": 0.25, "rows": 8.0}
    details = {
        "threshold": 0.5,
        "classes": ["no", ATTACK],
        "confusion": [[5, 1], [0, 2]],
        "calibration": [{"rows": 6, "score": 0.2, "share": 0.0}, {"rows": 2, "score": 0.9, "share": 1.0}],
        "curve": {"score": [0.9, 0.5, 0.1], "hits": [1, 2, 2], "alarms": [0, 3, 6]},
        "slices_left_out": {ATTACK: {"values": 7, "rows": 70}},
    }
    slices = {ATTACK: {"a": metrics, "b" * 300: {"rows": 1.0, "positive_rate": 0.0}}}
    return PageModel(name, metrics, details, slices, digest, {"run": ATTACK}, {"training.epochs": name, ATTACK: "same"})


def test_names_and_values_cannot_become_markup() -> None:
    page = evaluation_html(ATTACK, [binary(ATTACK), binary("b", 0.8)], synthetic=ATTACK)
    reader = Reader(page)
    assert "script" not in {tag for tag, _ in reader.tags}
    assert reader.texts.count(ATTACK) >= 8


def test_the_page_needs_nothing_beside_itself() -> None:
    reader = Reader(evaluation_html("t", [binary("a"), binary("b")]))
    for tag, attributes in reader.tags:
        assert tag not in ("link", "img", "iframe", "object", "base", "script")
        assert not {"src", "href"} & attributes.keys()
    policy = next(attributes for tag, attributes in reader.tags if attributes.get("http-equiv"))
    assert "default-src 'none'" in str(policy["content"])


def test_two_models_are_told_apart() -> None:
    reader = Reader(evaluation_html("t", [binary("mine", 0.9, "d1"), binary("its", 0.8, "d2")]))
    texts = " ".join(reader.texts)
    assert "evaluated on the held-out rows of another dataset version than mine" in texts
    assert "+0.1000" in texts, "difference of a slice's auc"
    assert "training.epochs" in texts
    assert ATTACK not in texts[texts.index("Settings that differ") :], "a setting that is the same in both"
    assert "and 7 rarer values with 70 rows" in texts
    best = [attributes for tag, attributes in reader.tags if "best" in str(attributes.get("class"))]
    assert len(best) == 2, "auc and log loss, not the share of positives"


def test_every_kind_of_details_has_a_page() -> None:
    classes = [str(index) for index in range(40)]
    confusion = [[9 if row == column else int(row == column + 1) for column in range(40)] for row in range(40)]
    many = PageModel("m", {"accuracy": 0.9, "rows": 400.0}, {"classes": classes, "confusion": confusion})
    assert "Most often taken for each other" in evaluation_html("t", [many])
    bins = {"errors": {"limit": 3.0, "rows": [1, 2, 1, 0]}}
    constant = {"errors": {"limit": 0.0, "rows": [0, 0, 0, 0]}}
    pages = evaluation_html(
        "t", [PageModel("r", {"rmse": 12345.6, "rows": 4.0}, bins), PageModel("s", {"rmse": 0.0}, constant)]
    )
    assert "12,346" in pages
    assert "Curves" not in evaluation_html("t", [PageModel("bare", {"rows": 1.0})])
    lacking = PageModel("one class", {"rows": 3.0}, {"left_out": {"pr_auc": "both are needed"}})
    assert "pr auc is left out: both are needed" in evaluation_html("t", [lacking])


def test_curves_go_where_the_numbers_are() -> None:
    curve = {"hits": [1, 2, 2], "alarms": [0, 3, 6]}
    drawing = roc({"a": curve}, {"a": {"auc": 0.75}})
    assert drawing.lines["a"] == f"M0 {SIDE}L0 {SIDE // 2}L{SIDE // 2} 0L{SIDE} 0"
    assert drawing.title == "ROC: area 0.7500"
    drawing = precision_recall({"a": curve}, {"a": {"positive_rate": 0.25}})
    assert drawing.lines["a"].startswith(f"M{SIDE // 2} 0L{SIDE} {SIDE * 3 // 5}L")
    heights = errors({"a": {"limit": 1.0, "rows": [0, 4]}, "b": {"limit": 2.0, "rows": [4, 0]}})
    assert f" {SIDE // 2}L" in heights.lines["b"], "as many rows in bins twice as wide stand half as high"
    assert heights.x_ticks == ["-2", "-1", "0", "1", "2"]


def test_best_values_and_differences() -> None:
    rows = {
        row.name: row.best
        for row in metric_rows([{"auc": 0.9, "rmse": 2.0}, {"auc": 0.9 + 1e-16, "rmse": 1.0}, {"f1": 1.0}])
    }
    assert rows == {"auc": frozenset(), "rmse": frozenset({1}), "f1": frozenset()}
    assert differing([{"a": "1", "b": "x"}, {"a": "1", "b": "y", "c": "z"}]) == {"b": ["x", "y"], "c": [None, "z"]}


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.12345, "0.1235"), (1.0, "1.0000"), (0.0, "0.0000"), (2000.0, "2,000"), (52345.6, "52,346"), (None, "–")],
)
def test_numbers(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_the_template_is_found_inside_the_bundle(tmp_path: Path) -> None:
    archive = bundle(str(tmp_path / "emberline.zip"))
    script = (
        "import emberline.pipelines.evaluation.page as p\n"
        f"assert p.__file__.startswith({str(archive)!r}), p.__file__\n"
        "assert '</html>' in p.evaluation_html('zip', [p.PageModel('a', {'rows': 1.0})])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(archive)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_lines_stand_out(scheme: int) -> None:
    """WCAG 2.2: 3 to 1 for what is drawn."""
    page = evaluation_html("t", [binary("a")])
    colours = {}
    for declared in re.findall(r":root \{([^}]*--s\d[^}]*)\}", page)[scheme::2]:
        colours |= dict(re.findall(r"--([\w-]+): (#\w+);", declared))

    def luminance(colour: str) -> float:
        digits = colour.lstrip("#")
        digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
        parts = [int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(colours[one]), luminance(colours[other])))
        return (high + 0.05) / (low + 0.05)

    assert {name: contrast(name, "card") for name in ("s0", "s1", "s2", "s3", "s4") if contrast(name, "card") < 3} == {}
    texts = [("ink", "right"), ("ink", "wrong"), ("stop", "card")]
    assert {pair: contrast(*pair) for pair in texts if contrast(*pair) < 4.5} == {}
