"""Corpora in their official formats, read by Spark: plain text, the Penn Treebank, pairs of sentences, films."""

import itertools
import tarfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.datasets.text import movie_dialogs, ptb, reviews, sentence_pairs, text8


def test_one_long_line_is_cut_into_passages(spark: SparkSession, tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    words = [f"w{number}" for number in draw.integers(0, 99, 20_050)]
    (tmp_path / "text8").write_text(" " + " ".join(words))
    rows = text8.DATASET.read(spark, str(tmp_path)).collect()
    assert sorted(row["text"] for row in rows) == sorted(
        " ".join(words[start : start + 200]) for start in range(0, len(words), 200)
    )
    assert {row["words"] for row in rows} == {"200", "50"}
    parts = {split: text8.DATASET.read(spark, str(tmp_path), split).collect() for split in ("train", "eval")}
    assert len(parts["train"]) + len(parts["eval"]) == len(rows)
    assert not {row["row"] for row in parts["train"]} & {row["row"] for row in parts["eval"]}


def test_the_treebank_is_read_from_its_files_and_their_archive(spark: SparkSession, tmp_path: Path) -> None:
    files = {
        "ptb.train.txt": " the cat <unk> \n sat N times \n" * 700,
        "ptb.valid.txt": " a b \n" * 600,
        "ptb.test.txt": "c\n",
    }
    folder = tmp_path / "simple-examples" / "data"
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    (tmp_path / "archive").mkdir()
    with tarfile.open(tmp_path / "archive" / "simple-examples.tgz", "w:gz") as archive:
        archive.add(tmp_path / "simple-examples", arcname="./simple-examples")
    tokens = ["the", "cat", "<unk>", "<eos>", "sat", "N", "times", "<eos>"] * 700
    expected = [" ".join(tokens[start : start + 1401]) for start in range(0, len(tokens) - 1, 1400)]
    for place in (folder, tmp_path / "archive"):
        assert [row["text"] for row in ptb.DATASET.read(spark, str(place), "train").collect()] == expected
        held = ptb.DATASET.read(spark, str(place), "eval").collect()
        assert sum(int(row["words"]) - 1 for row in held) == 3 * 600 - 1, "all words but the first are told"
        assert held[0]["text"].startswith("a b <eos> a b")
    (folder / "ptb.train.txt").unlink()
    with pytest.raises(BadInputError, match=r"expected ptb.train.txt for train"):
        ptb.DATASET.read(spark, str(folder), "train")


def test_the_best_perplexity_is_that_of_the_language(tmp_path: Path) -> None:
    """Against frequencies counted in the text itself: each word by the one before it."""
    best = ptb.DATASET.generate(str(tmp_path), seed=5).best["perplexity"]
    text = [word for line in (tmp_path / "ptb.train.txt").read_text().splitlines() for word in (*line.split(), ptb.END)]
    pairs: dict[tuple[str, str], int] = {}
    for pair in itertools.pairwise(text):
        pairs[pair] = pairs.get(pair, 0) + 1
    before: dict[str, int] = {}
    for (first, _), count in pairs.items():
        before[first] = before.get(first, 0) + count
    loss = -sum(count * np.log(count / before[first]) for (first, _), count in pairs.items()) / (len(text) - 1)
    assert best == pytest.approx(np.exp(loss), rel=0.02)
    assert ptb.DATASET.synthetic(str(tmp_path)) is not None


def test_pairs_are_divided_by_a_tab(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "fra.txt").write_text("Go.\tVa !\tCC-BY 2.0\nno tab here\n\nHi, Tom!\tSalut Tom !\n")
    rows = {row["source"]: row for row in sentence_pairs.DATASET.read(spark, str(tmp_path)).collect()}
    assert rows["Go."]["target"] == "Va !"
    assert rows["Hi, Tom!"]["words"] == "3"
    assert rows["no tab here"]["_fault"] == "expected two texts divided by a tab"
    assert rows["Go."]["_fault"] is None
    assert len(rows) == 3


def test_made_up_pairs_follow_their_rule(tmp_path: Path) -> None:
    sentence_pairs.DATASET.generate(str(tmp_path), seed=2)
    lines = (tmp_path / "pairs.txt").read_text().splitlines()
    found = dict(line.split("\t") for line in lines)
    assert len(found) > 0.9 * len(lines)
    source, target = next((s.split(), t.split()) for s, t in found.items() if len(s.split()) == 4)
    noun, verb, other, _ = source
    ending = "s" if int(noun[1:]) % 2 else "en"
    assert target == [f"noun{noun[1:]}", f"noun{other[1:]}", f"verb{verb[1:]}{ending}", "."]


def test_lines_of_films_are_answered_by_the_next(spark: SparkSession, tmp_path: Path) -> None:
    said = {"L1": "They do not!", "L2": "They do to! Caf\xe9.", "L3": "I hope so.", "L4": "", "L5": "Yes."}
    lines = [f"{line} +++$+++ u0 +++$+++ m0 +++$+++ BIANCA +++$+++ {text}" for line, text in said.items()]
    conversations = [
        "u0 +++$+++ u1 +++$+++ m0 +++$+++ ['L1', 'L2', 'L3']",
        "u0 +++$+++ u1 +++$+++ m7 +++$+++ ['L4', 'L5']",
    ]
    (tmp_path / movie_dialogs.LINES).write_bytes("\n".join(lines).encode("iso-8859-1"))
    with pytest.raises(BadInputError, match=r"\['movie_lines.txt'\] alone"):
        movie_dialogs.DATASET.read(spark, str(tmp_path))
    (tmp_path / movie_dialogs.CONVERSATIONS).write_bytes("\n".join(conversations).encode("iso-8859-1"))
    rows = movie_dialogs.DATASET.read(spark, str(tmp_path)).collect()
    assert sorted((row["source"], row["target"]) for row in rows) == [
        ("They do not!", "They do to! Caf\xe9."),
        ("They do to! Caf\xe9.", "I hope so."),
    ]
    assert all(len(row["row"]) == 16 and row["_fault"] is None for row in rows)
    parts = [movie_dialogs.DATASET.read(spark, str(tmp_path), split).count() for split in ("train", "eval")]
    assert sorted(parts) == [0, 2], "a film lies on one side"


def test_the_folder_of_a_review_tells_its_opinion(spark: SparkSession, tmp_path: Path) -> None:
    for split, kind, number in (("train", "pos", 1), ("train", "neg", 2), ("test", "pos", 3), ("train", "unsup", 4)):
        folder = tmp_path / split / kind
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number}_9.txt").write_text(f"Film {number}.<br />\nTwo lines.\n")
    (tmp_path / "test" / "neg").mkdir()
    (tmp_path / "test" / "neg" / "5_1.txt").write_text("Bad.")
    rows = {row["opinion"]: row["review"] for row in reviews.DATASET.read(spark, str(tmp_path), "train").collect()}
    assert rows == {"pos": "Film 1.<br />\nTwo lines.", "neg": "Film 2.<br />\nTwo lines."}
    assert reviews.DATASET.read(spark, str(tmp_path)).count() == 4
    words = reviews.TOKENS.split(tf.constant([rows["pos"]])).to_list()[0]
    assert words == [b"film", b"1", b"two", b"lines"]
    with pytest.raises(BadInputError, match=r"no folder .*/test/neg"):
        reviews.DATASET.read(spark, str(tmp_path / "train"), "eval")
