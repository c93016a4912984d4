"""The page of a dataset version: what stands in it, that nothing gets out of it, and that a browser runs it."""

import html.parser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from emberline.features.profile.charts import figure, histogram, share
from emberline.features.profile.page import ProfileInput, profile_html
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics
from emberline.features.validation.checks import Anomaly
from emberline.pipelines.runtime.code_archive import bundle

ATTACK = "<script>alert(1)</script>"
LABEL = Label("paid", (("no",), ("yes",)))


def number(seed: int, size: int = 2000, missing: int = 0) -> FieldStatistics:
    values = np.random.default_rng(seed).normal(seed % 7, 3, size)
    return FieldStatistics(
        count=size,
        missing=missing,
        values=size,
        mean=float(values.mean()),
        deviation=float(values.std()),
        minimum=float(values.min()),
        maximum=float(values.max()),
        quantiles=tuple(map(float, np.quantile(values, np.linspace(0, 1, 101)))),
        histogram=tuple(map(int, np.histogram(values, 100)[0])),
    )


def text(*words: str) -> FieldStatistics:
    top = tuple((word, 100 - index) for index, word in enumerate(words))
    return FieldStatistics(sum(count for _, count in top), 5, distinct=len(top), top=top, text_lengths=(1, 4.2, 9))


def wide(count: int) -> ProfileInput:
    """Numbers and texts by turns, three series."""
    fields = tuple(Field(f"field_{index}", "float" if index % 2 else "string") for index in range(count))

    def learned(shift: int) -> Statistics:
        facts = {
            field.name: number(index + shift, missing=index) if index % 2 else text(*(f"word {n}" for n in range(30)))
            for index, field in enumerate(fields)
        }
        return Statistics(2000, (1200, 800), None, facts)

    schema = Schema(fields, LABEL, "key")
    return ProfileInput("clicks", schema, {"train": learned(0), "eval": learned(1)}, learned(2))


class Reader(html.parser.HTMLParser):
    """Tags and texts of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_names_and_values_cannot_become_markup() -> None:
    schema = Schema((Field(ATTACK, "string"), Field('"><b>', "float")), Label(ATTACK + "l", ((ATTACK,), ("b",))), "key")
    facts = {ATTACK: text(ATTACK, "'\"&", ATTACK * 20), '"><b>': number(1)}
    page = profile_html(
        ProfileInput(
            ATTACK, schema, {"train": Statistics(9, (4, 5), None, facts)},
            anomalies=(Anomaly("constant", ATTACK, ATTACK, "stop", ATTACK, ATTACK, ATTACK),),
            facts={ATTACK: ATTACK}, synthetic=ATTACK, rows_read=9, rows_rejected=1, reasons={ATTACK: 1},
        )
    )  # fmt: skip
    reader = read(page)
    assert [tag for tag, _ in reader.tags].count("script") == 1
    assert "alert(1)" not in page.split("<script>")[1]
    assert reader.texts.count(ATTACK) >= 8
    assert any(attributes.get("data-name") == '"><b>' for _, attributes in reader.tags)


def test_the_page_needs_nothing_beside_itself() -> None:
    reader = read(profile_html(wide(4)))
    for tag, attributes in reader.tags:
        assert tag not in ("link", "img", "iframe", "object", "base")
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(attributes for tag, attributes in reader.tags if attributes.get("http-equiv"))
    assert "default-src 'none'" in str(policy["content"])


def test_the_page_tells_what_the_statistics_know() -> None:
    facts = {"age": number(3, missing=500), "town": text("Ulm", "Bonn")}
    schema = Schema((Field("age", "float"), Field("town", "string", many=True)), LABEL, "key")
    newer, older = Statistics(2500, (2000, 500), None, facts), Statistics(2500, (1000, 1500), None, facts)
    page = profile_html(
        ProfileInput(
            "census", schema, {"train": newer}, older, (Anomaly("drift", "age", "train", "warning", "o", "e", "a"),),
            {"digest": "abc123"}, "best achievable AUC 0.9", 2510, 10, {"age: '…' is not a number": 10},
        )
    )  # fmt: skip
    said = " ".join(read(page).texts)
    for expected in (
        "synthetic data: best achievable AUC 0.9", "abc123", "10 of 2,510 (0.4%)", "500 (20.0%)", "many strings",
        "2,000 80.0%", "1,000 40.0%", "L-infinity 0.400", "age: '…' is not a number", "0 stop the step, 1 warn",
        figure(facts["age"].mean), "1 / 4.2 / 9",
    ):  # fmt: skip
        assert re.sub(r"\s+", " ", expected) in re.sub(r"\s+", " ", said), expected


def test_a_version_without_values_or_histograms_has_a_page_too() -> None:
    schema = Schema((Field("a", "float"), Field("b", "string")), Label("price"), "key")
    bare = Statistics(
        3,
        (),
        FieldStatistics(3, 0, minimum=1, maximum=1, mean=1, deviation=0),
        {"a": FieldStatistics(0, 3), "b": FieldStatistics(0, 3, distinct=0)},
    )
    assert "nothing to draw" in profile_html(ProfileInput("bare", schema, {"train": bare}))


def test_three_hundred_fields_stay_small() -> None:
    assert len(profile_html(wide(300))) < 3_000_000


def test_a_drawing_has_the_heights_of_its_shares() -> None:
    """Ten integers, the last three times as frequent: ten bins, the others a third as high."""
    ranks = np.quantile([*range(10), 9, 9], np.linspace(0, 1, 101), method="inverted_cdf")
    facts = FieldStatistics(12, 0, minimum=0, maximum=9, histogram=(1,) * 9 + (3,), quantiles=tuple(map(float, ranks)))
    chart = histogram("x", {"train": facts}, whole=True)
    assert chart
    assert chart.ticks == ("0", "4", "9")
    assert chart.top == pytest.approx(0.25, abs=0.005)
    levels = [float(level) for level in re.findall(r"V([\d.]+)", chart.linear["train"])]
    assert levels == pytest.approx([66.7] * 9 + [0, 100], abs=2.5)
    assert chart.title.startswith("x: histogram from 0 to 9; train peaks at 9 with 2")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0, "0"), (1234567, "1,234,567"), (1234.56, "1,235"), (0.000123456, "0.0001235"), 
     (-3.14159, "-3.142"), (2.0, "2"), (1e30, "1e+30")],
)  # fmt: skip
def test_figures(value: float | None, shown: str) -> None:
    assert figure(value) == shown


def test_shares_are_none_or_all_only_if_they_are() -> None:
    assert [share(value) for value in (0, 1e-6, 0.1234, 0.9999, 1)] == ["0%", "<0.1%", "12.3%", ">99.9%", "100%"]


def test_the_template_is_found_inside_the_bundle(tmp_path: Path) -> None:
    """A cluster's driver may have our code only as the zip file of --py-files."""
    archive = bundle(str(tmp_path / "emberline.zip"))
    script = (
        "import emberline.features.profile.page as p\n"
        "from emberline.features.statistics import *; from emberline.features.schema import *\n"
        f"assert p.__file__.startswith({str(archive)!r}), p.__file__\n"
        "facts = Statistics(1, (1, 0), None, {'a': FieldStatistics(0, 1)})\n"
        "schema = Schema((Field('a', 'float'),), Label('l', (('n',), ('y',))), 'k')\n"
        "assert '</html>' in p.profile_html(p.ProfileInput('zip', schema, {'train': facts}))"
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


def browse(page: Path, query: str = "") -> tuple[Reader, str]:
    """The page after its script has run, and what the browser's console said."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium on this machine: the page's script is not run")
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", f"--user-data-dir={page.parent}/browser",
         "--enable-logging=stderr", "--virtual-time-budget=5000", "--dump-dom", f"file://{page}{query}"],
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    console = "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)
    return read(done.stdout), console


def test_a_browser_runs_the_page(tmp_path: Path) -> None:
    page = tmp_path / "profile.html"
    page.write_text(profile_html(wide(40)))
    plain, console = browse(page)
    assert not console
    rows = [attributes for tag, attributes in plain.tags if tag == "details"]
    assert len(rows) == 40
    assert not [row for row in rows if "hidden" in row]
    found, console = browse(page, "?search=field_1&sort=missing&group=number")
    assert not console
    rows = [attributes for tag, attributes in found.tags if tag == "details"]
    shown = [row["data-name"] for row in rows if "hidden" not in row]
    assert shown == [f"field_{index}" for index in (19, 17, 15, 13, 11, 1)]
    assert "6 of 40" in found.texts
    visited, console = browse(page, "#field-7")
    assert not console
    assert [attributes["id"] for tag, attributes in visited.tags if tag == "details" and "open" in attributes] == [
        "field-7"
    ]


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    digits = colour.lstrip("#")
    digits = "".join(digit * 2 for digit in digits) if len(digits) == 3 else digits
    parts = [int(digits[index : index + 2], 16) / 255 for index in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_and_lines_stand_out(scheme: int) -> None:
    """WCAG 2.2: 4.5 to 1 for text, 3 to 1 for what is drawn."""
    declared = re.findall(r":root \{([^}]*--ink[^}]*)\}", profile_html(wide(2)))
    colours = dict(re.findall(r"--([\w-]+): (#\w+);", declared[scheme]))

    def contrast(one: str, other: str) -> float:
        low, high = sorted((luminance(colours[one]), luminance(colours[other])))
        return (high + 0.05) / (low + 0.05)

    texts = [("ink", "page"), ("ink", "card"), ("soft", "page"), ("soft", "card"), ("soft", "head"),
             ("stop", "stop-fill"), ("warning", "warning-fill")]  # fmt: skip
    assert {pair: contrast(*pair) for pair in texts if contrast(*pair) < 4.5} == {}
    lines = [("s0", "card"), ("s1", "card"), ("s2", "card"), ("s1", "s0-fill"), ("s2", "s0-fill")]
    assert {pair: contrast(*pair) for pair in lines if contrast(*pair) < 3} == {}
