"""Skip-gram: its loss against TensorFlow's own of the same pairs, what it draws, and what it does not look at."""

import math
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import PAD, Embedding, Vocabulary
from emberline.models.text import skip_gram
from emberline.models.text.skip_gram_layers import EVALUATED_WORDS, NeighbourLoss, Thinned

SIZE, WIDTH, WINDOW, NEGATIVES = 30, 6, 3, 7
TEXTS = [[1, 2, 3, 4, 5], [9, 9], [7], []]
IDS = np.array([text + [PAD] * (5 - len(text)) for text in TEXTS], np.int64)


@pytest.mark.parametrize("loss", ["nce", "sampled_softmax"])
def test_the_loss_is_that_of_tensorflow(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pair by itself, with the negatives that the layer drew for its text."""
    keras.utils.set_random_seed(1)
    layer = NeighbourLoss(SIZE, WINDOW, NEGATIVES, loss)
    vectors = np.random.default_rng(2).normal(size=(len(TEXTS), 5, WIDTH)).astype(np.float32)
    layer(IDS, vectors)
    layer.biases.assign(np.random.default_rng(3).normal(size=SIZE))
    total, pairs = layer(IDS, vectors)
    uniform = tf.random.stateless_uniform([len(TEXTS), NEGATIVES], tf.constant([1, 0], tf.int64)).numpy()
    negatives = np.floor(np.exp(uniform * math.log(SIZE + 1))).astype(np.int64) - 1
    assert negatives.max() > SIZE / 2

    def expected(ids: np.ndarray) -> np.ndarray:
        return NEGATIVES * np.log((ids + 2.0) / (ids + 1.0)) / math.log(SIZE + 1)

    theirs = tf.nn.nce_loss if loss == "nce" else tf.nn.sampled_softmax_loss
    found = []
    for row, text in enumerate(TEXTS):
        both = [(i, j) for i in range(len(text)) for j in range(len(text)) if 0 < abs(i - j) <= WINDOW]
        assert pairs.numpy()[row] == len(both)
        losses = [
            theirs(
                np.array(layer.contexts), np.array(layer.biases), np.array([[text[j]]]), vectors[row, i][None],
                NEGATIVES, SIZE, sampled_values=(
                    negatives[row], expected(np.array([[text[j]]])).astype(np.float32),
                    expected(negatives[row]).astype(np.float32),
                ), remove_accidental_hits=False,
            ).numpy()[0]
            for i, j in both
        ]  # fmt: skip
        found.append(sum(losses))
    np.testing.assert_allclose(total, found, rtol=1e-4)


def test_a_word_looks_a_random_way_and_pairs_go_both_ways() -> None:
    """Of reach uniform from 1 to 3, the pairs at distances 1, 2, 3 come with chances 1, 2/3, 1/3."""
    layer = NeighbourLoss(SIZE, WINDOW, NEGATIVES, "nce")
    ids = np.ones((400, 40), np.int64)
    _, pairs = layer(ids, np.zeros((400, 40, WIDTH), np.float32), training=True)
    expected = 2 * (39 + 38 * 2 / 3 + 37 / 3)
    assert np.mean(pairs) == pytest.approx(expected, rel=0.02)
    assert np.std(pairs) > 1


def test_frequent_words_are_thinned_out_in_training_alone() -> None:
    """Mikolov's rule: a word of share 0.1 stays with probability sqrt(0.01) + 0.01 at a threshold of 0.001."""
    layer = Thinned(1e-3)
    ids = np.tile([3, 8, -1, 5, PAD], (4000, 1))
    shares = np.tile(np.array([0.1, 1e-4, 0, 0.004, np.nan], np.float32), (4000, 1))
    drawn = layer(ids, shares, training=True).numpy()
    for word, share in ((3, 0.1 + 0.01), (8, 1.0), (5, 0.75), (-1, 0.0)):
        assert np.mean((drawn == word).any(axis=1)) == pytest.approx(share, abs=0.03)
    assert drawn.shape[1] == 3
    assert (layer(ids, shares, training=True).numpy() != drawn).any(), "another draw at every call"
    whole = layer(ids[:1], shares[:1]).numpy()
    assert whole.tolist() == [[3, 8, 5]]
    assert layer(np.ones((1, 99), np.int64), np.ones((1, 99))).shape == (1, EVALUATED_WORDS)


def network(**settings: Any) -> keras.Model:
    keras.utils.set_random_seed(2)
    config = skip_gram.Config(Embedding(Vocabulary("text", many=True), WIDTH), **settings)
    return skip_gram.build(config, {"text": SIZE})


def rows(texts: list[list[int]]) -> dict[str, np.ndarray]:
    longest = max(1, *map(len, texts))
    ids = np.array([text + [PAD] * (longest - len(text)) for text in texts], np.int64)
    return {"text": ids, "text_frequency": np.where(ids == PAD, np.nan, 0.001).astype(np.float32)}


def test_the_other_texts_of_a_batch_do_not_matter() -> None:
    """The vectors and pairs of a text; its negatives follow from its place in the batch."""
    model = network()
    together = model(rows(TEXTS))
    for place, text in enumerate(TEXTS):
        alone = model(rows([text]))
        np.testing.assert_allclose(alone["vector"][0], together["vector"][place], atol=1e-6)
        assert float(alone["pairs"][0]) == float(together["pairs"][place])
    assert not together["vector"].numpy()[3].any()
    np.testing.assert_allclose(np.linalg.norm(together["vector"].numpy()[:3], axis=1), 1, rtol=1e-5)


def test_what_training_makes_smaller_is_the_loss_of_a_pair() -> None:
    outputs = network(subsample=0.0)(rows(TEXTS), training=True)
    mean = float(tf.reduce_sum(outputs["loss"]) / tf.reduce_sum(outputs["pairs"]))
    assert float(tf.reduce_mean(outputs["loss/"])) == pytest.approx(mean, rel=1e-5)
