"""Words in files: counted, cut, copied once, looked up, and carried inside a SavedModel."""

import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from emberline.features import storage
from emberline.features.columns import Vocabulary
from emberline.features.columns.vocabulary_file import count_frequent, count_lines, local_words
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.statistics import FieldStatistics, Statistics, VocabularyFile
from emberline.features.transform import TransformGraph

SCHEMA = Schema((Field("word", "string"),), Label("label", (("0",), ("1",))), "key")


def ids(column: Vocabulary, words: list[str], statistics: Statistics) -> list[int]:
    return TransformGraph(SCHEMA, (column,), statistics)({"word": tf.constant(words)})["word"].numpy().tolist()


@pytest.mark.parametrize("place", ["local", "memory"])
@pytest.mark.parametrize("end", ["\n", ""])
def test_a_file_of_ones_own(tmp_path: Path, place: str, end: str) -> None:
    uri = str(tmp_path / "w.txt") if place == "local" else f"memory:/words/{len(end)}/w.txt"
    storage.write_text_atomic(uri, "red\ngreen\n工人 x" + end)
    words = ["工人 x", "red", "", "green", "blue"]
    assert ids(Vocabulary("word", file=uri), words, Statistics(0)) == [2, 0, -1, 1, -1]
    assert ids(Vocabulary("word", file=uri, size=2, default=1), words, Statistics(0)) == [1, 0, -1, 1, 1]
    assert Vocabulary("word", file=uri, unseen_buckets=3).cardinality(Statistics(0)) == 6
    with pytest.raises(BadInputError, match="has 3 words, size asks for 4"):
        Vocabulary("word", file=uri, size=4).cardinality(Statistics(0))


def test_a_local_file_is_read_where_it_lies_and_a_part_of_it_copied_once(tmp_path: Path) -> None:
    uri = str(tmp_path / "w.txt")
    Path(uri).write_text("".join(f"word {n}\n" for n in range(1000)))
    assert local_words(uri, 1000) == uri
    part = local_words(uri, 10)
    assert local_words(uri, 10) == part != uri
    assert Path(part).read_text().splitlines() == [f"word {n}" for n in range(10)]
    assert count_lines(uri) == 1000


def test_frequent_words_are_counted(tmp_path: Path) -> None:
    uri = str(tmp_path / "w.txt")
    Path(uri).write_text("a\t9\nb\t5\nc\t5\nd\t1\n")
    assert [count_frequent(uri, count) for count in (1, 5, 6, 10)] == [4, 3, 1, 0]


def learned(folder: Path, words: int) -> Statistics:
    (folder / "vocabularies").mkdir()
    with (folder / "vocabularies" / "word.txt").open("w") as file:
        file.writelines(f"word {n}\t{words - n}\n" for n in range(words))
    listed = VocabularyFile("vocabularies/word.txt", words, cuts=((words // 2, words // 2 + 1),))
    return Statistics(words, (), None, {"word": FieldStatistics(words, 0, vocabulary=listed)}, str(folder))


@pytest.mark.parametrize("words", [1000, pytest.param(10_000_000, marks=pytest.mark.slow)])
def test_a_learned_vocabulary_travels_with_the_model(tmp_path: Path, words: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    statistics = learned(home, words)
    column = Vocabulary("word")
    assert column.cardinality(statistics) == words
    assert Vocabulary("word", minimum_count=words // 2).cardinality(statistics) == words // 2 + 1
    graph = TransformGraph(SCHEMA, (column,), statistics)
    call = tf.function(graph.__call__, input_signature=[graph.raw_spec])
    module = tf.Module()
    module.graph = graph
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"ids": call.get_concrete_function()})
    assert [file.name for file in (tmp_path / "model" / "assets").iterdir()] == ["word.txt"]
    shutil.move(tmp_path / "model", tmp_path / "elsewhere")
    shutil.rmtree(home)
    loaded = tf.saved_model.load(str(tmp_path / "elsewhere")).signatures["ids"]
    found = loaded(word=tf.constant([f"word {words - 1}", "word 0", "", "other"]))["word"]
    assert found.numpy().tolist() == [words - 1, 0, -1, -1]
