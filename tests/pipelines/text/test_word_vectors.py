"""Tables of vectors: written, read, asked for neighbours and analogies."""

from pathlib import Path

import numpy as np
import pytest

from emberline.features.errors import BadInputError
from emberline.jobs.neighbours import main
from emberline.pipelines.text.word_vectors import WordVectors, look, read_questions

CITIES = ("france", "paris", "spain", "madrid", "italy", "rome")
DRAW = np.random.default_rng(4)
PLACES, CAPITAL = DRAW.normal(size=(3, 16)), DRAW.normal(size=16)
ROWS = np.concatenate([np.stack([place, place + CAPITAL]) for place in PLACES] + [DRAW.normal(size=(1, 16))])
TABLE = WordVectors(CITIES, ROWS.astype(np.float32))


def test_neighbours_are_those_of_the_greatest_cosine() -> None:
    found = TABLE.nearest("france", 3)
    unit = ROWS[:6] / np.linalg.norm(ROWS[:6], axis=1, keepdims=True)
    cosines = sorted(((float(unit[0] @ unit[place]), CITIES[place]) for place in range(1, 6)), reverse=True)[:3]
    assert [word for word, _ in found] == [word for _, word in cosines]
    np.testing.assert_allclose([cosine for _, cosine in found], [cosine for cosine, _ in cosines], rtol=1e-5)
    with pytest.raises(BadInputError, match=r"no vector of 'frence'.*france"):
        TABLE.nearest("frence")


def test_analogies_are_answered_and_counted(tmp_path: Path) -> None:
    assert TABLE.analogy("france", "paris", "italy")[0][0] == "rome"
    (tmp_path / "questions").write_text(": capitals\nfrance paris spain madrid\nfrance paris italy spain\na b c d\n")
    questions = read_questions(str(tmp_path / "questions"))
    assert len(questions) == 3
    assert TABLE.analogy_accuracy(questions) == (0.5, 2), "a question with an unknown word is not asked"
    (tmp_path / "odd").write_text("a b c\n")
    with pytest.raises(BadInputError, match="'a b c'; expected four words"):
        read_questions(str(tmp_path / "odd"))


def test_a_table_comes_back_and_fits_another_vocabulary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    TABLE.write(str(tmp_path), "text")
    again = WordVectors.open(str(tmp_path / "text.parquet"))
    assert again.words == CITIES
    np.testing.assert_array_equal(again.rows, TABLE.rows)
    np.testing.assert_array_equal(np.load(tmp_path / "text.npy"), TABLE.rows)
    TABLE.write(str(tmp_path), "my/words")
    assert WordVectors.open(str(tmp_path / "name__my_2f_words.parquet")).words == CITIES
    other = TABLE.rows_for(["rome", "berlin"], 4)
    np.testing.assert_array_equal(other, [TABLE.rows[5], *np.zeros((3, 16))])
    assert look(str(tmp_path / "text.parquet"), ["rome"], None, 2)["words"] == 6
    assert main(["--vectors", str(tmp_path / "text.parquet"), "--words", "rome", "paris", "--top", "2"]) == 0
    assert '"neighbours"' in capsys.readouterr().out.splitlines()[-1]
    with pytest.raises(BadInputError, match="is no table of vectors"):
        WordVectors.open(str(tmp_path / "text.npy"))
