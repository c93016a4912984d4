"""BLEU against sacrebleu's and nltk's, METEOR against nltk's, perplexity by hand."""

import math

import numpy as np
import pytest
import sacrebleu
from nltk.stem import PorterStemmer
from nltk.translate import bleu_score, meteor_score
from pyspark.sql import SparkSession

from emberline.features.errors import BadInputError
from emberline.pipelines.metrics.grouped import GROUPS
from emberline.pipelines.metrics.text import meteor, perplexities, text_metrics

VOCABULARY = ["the", "cat", "cats", "sat", "on", "a", "mat", "mats", "and", "sitting", "sits", "quickly"]


class NoSynonyms:
    """Stands in for WordNet, whose data nltk would have to download."""

    def synsets(self, word: str) -> list[object]:
        return []


def texts(count: int) -> list[tuple[list[str], list[list[str]]]]:
    """Random word salads of all lengths with one to three references, and some that fit well."""
    generator = np.random.default_rng(count)
    found = []
    for _ in range(count):
        references = [
            generator.choice(VOCABULARY, generator.integers(1, 15)).tolist() for _ in range(1 + generator.integers(3))
        ]
        written = [word if generator.random() < 0.8 else str(generator.choice(VOCABULARY)) for word in references[0]]
        found.append((written[: len(written) - int(generator.integers(2))], references))
    return found


def test_bleu_and_meteor_of_a_corpus(spark: SparkSession) -> None:
    corpus = texts(200)
    frame = spark.createDataFrame(corpus, "written array<string>, references array<array<string>>").repartition(3)
    found = text_metrics(frame, "written", "references", PorterStemmer().stem).metrics
    written, references = [text for text, _ in corpus], [others for _, others in corpus]
    streams = [
        [" ".join(others[place]) if place < len(others) else None for others in references] for place in range(3)
    ]
    theirs = sacrebleu.corpus_bleu([" ".join(text) for text in written], streams, tokenize="none", smooth_method="none")
    assert found["bleu"] == pytest.approx(theirs.score / 100)
    assert [found[f"bleu_{n}"] for n in range(1, 5)] == pytest.approx([value / 100 for value in theirs.precisions])
    assert found["brevity_penalty"] == pytest.approx(theirs.bp)
    scores = [meteor_score.meteor_score(others, text, wordnet=NoSynonyms()) for text, others in corpus]
    assert found["meteor"] == pytest.approx(np.mean(scores))
    assert found["rows"] == 200


def test_bleu_is_nltks_where_all_texts_have_four_words(spark: SparkSession) -> None:
    """Of shorter ones, nltk counts n-grams that they do not have."""
    corpus = [(text, others) for text, others in texts(100) if len(text) >= 4]
    found = text_metrics(spark.createDataFrame(corpus, "w array<string>, r array<array<string>>"), "w", "r").metrics
    theirs = bleu_score.corpus_bleu([others for _, others in corpus], [text for text, _ in corpus])
    assert found["bleu"] == pytest.approx(theirs)


@pytest.mark.parametrize(
    ("written", "reference", "score"),
    [
        ("on the mat sat the cat", "the cat sat on the mat", 0.5),
        ("the cat sat on the mat", "the cat sat on the mat", 0.9977),
        ("the cat was sat on the mat", "the cat sat on the mat", 0.9654),
    ],
)
def test_meteors_worked_examples(written: str, reference: str, score: float) -> None:
    assert meteor(written.split(), reference.split()) == pytest.approx(score, abs=5e-5)


def test_what_fits_nowhere(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(["no"], [["yes"]]), ([], [["yes"]])], "w array<string>, r array<array<string>>")
    found = text_metrics(rows, "w", "r").metrics
    assert (found["bleu"], found["meteor"], found["rows"]) == (0, 0, 2)
    with pytest.raises(BadInputError, match="no scored rows"):
        text_metrics(rows.limit(0), "w", "r")


def test_perplexity(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [(4.0, 2, [0, 1]), (8.0, 4, [0]), (600.0, 2, [2])], f"loss double, tokens int, {GROUPS} array<int>"
    )
    found = perplexities(rows, "loss", "tokens")
    assert found[0].metrics == {"perplexity": pytest.approx(math.e**2), "loss": 2.0, "tokens": 6.0, "rows": 2.0}
    assert found[1].metrics["rows"] == 1.0
    assert found[2].metrics["perplexity"] == math.inf
    with pytest.raises(BadInputError):
        perplexities(spark.createDataFrame([(0.0, 0)], "loss double, tokens int"), "loss", "tokens")
