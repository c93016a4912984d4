"""Encoder, decoder and beam search: what a text costs, and that no better text was overlooked."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import NO_ID, PAD, Embedding, Vocabulary
from emberline.models.seeds import own_seed
from emberline.models.text import sampling, translation
from emberline.models.text.translator import Translator

SOURCE = Embedding(Vocabulary("source", many=True), 5)
TARGET = Embedding(Vocabulary("target", many=True, unseen_buckets=1), 4)
SIZES = {"source": 9, "target": 5}
READ = [[1, 2, 3, 4], [8, 8], [5], []]
WRITTEN = [[1, 2], [0, 4, 3], [], [2]]


def padded(texts: list[list[int]]) -> np.ndarray:
    longest = max(map(len, texts))
    return np.array([text + [PAD] * (longest - len(text)) for text in texts], np.int64)


def network(seed: int = 3, scale: float = 3.0, **settings: Any) -> keras.Model:
    keras.utils.set_random_seed(seed)
    given: dict[str, Any] = {"units": 6, "longest": 3} | settings
    model = translation.build(translation.Config(SOURCE, TARGET, **given), SIZES)
    for weight in model.trainable_weights:  # as they begin, all words are about as likely
        weight.assign(weight * scale)
    return model


def inputs(read: list[list[int]] = READ, written: list[list[int]] = WRITTEN) -> dict[str, tf.Tensor]:
    return {"source": tf.constant(padded(read)), "target": tf.constant(padded(written))}


@pytest.mark.parametrize("settings", [{}, {"cell": "lstm", "layers": 2}], ids=str)
def test_the_other_texts_of_a_batch_do_not_matter(settings: dict[str, Any]) -> None:
    model = network(**settings)
    together = model(inputs())
    assert together["tokens"].numpy().tolist() == [3, 4, 0, 2], "the end counts; without a target nothing does"
    assert together["reference"].numpy().tolist() == [[1, 2, PAD], [0, NO_ID, 3], [PAD] * 3, [2, PAD, PAD]]
    for place, (read, written) in enumerate(zip(READ, WRITTEN, strict=True)):
        alone = model(inputs([read or [PAD]], [written or [PAD]]))
        np.testing.assert_allclose(alone["loss"], together["loss"][place : place + 1], rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(alone["written"][0], together["written"][place])
    mean = float(tf.reduce_sum(together["loss"]) / tf.reduce_sum(together["tokens"]))
    assert float(tf.reduce_mean(together["loss/"])) == pytest.approx(mean, rel=1e-5)


def every_text(model: keras.Model) -> dict[tuple[int, ...], float]:
    """Log probabilities of all texts of the first row up to three words; only the shorter ones come with their end."""
    layer: Translator = model.get_layer("translator")
    memory, states = layer._encode(tf.constant([READ[0]], tf.int64), training=False)
    found: dict[tuple[int, ...], float] = {}
    for first, second in itertools.product(range(4), repeat=2):
        fed = tf.constant([[layer.begin, first, second]], tf.int64)
        hidden, _ = layer._decode(fed, memory, states)
        logits = layer.next_word(hidden[0]).numpy().astype(float)[:, [0, 1, 2, 3, layer.end]]
        chances = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        found[()] = chances[0, 4]
        found[first,] = chances[0, first] + chances[1, 4]
        found[first, second] = chances[0, first] + chances[1, second] + chances[2, 4]
        for third in range(4):
            found[first, second, third] = chances[0, first] + chances[1, second] + chances[2, third]
    return found


@pytest.mark.parametrize(("cell", "power"), [("gru", 0.0), ("gru", 2.0), ("lstm", 0.6)])
def test_wide_beams_find_the_best_of_all_texts(cell: Any, power: float) -> None:
    """As many beams as there are texts leave none out; one beam finds what is likeliest word by word."""
    for seed in (3, 4):
        model = network(seed, cell=cell, beams=85, length_penalty=power)
        scores = {text: chance / ((5 + len(text)) / 6) ** power for text, chance in every_text(model).items()}
        assert len(scores) == 1 + 4 + 16 + 64
        written = tuple(int(word) for word in model(inputs())["written"][0].numpy() if word >= 0)
        assert scores[written] == pytest.approx(max(scores.values()), abs=1e-4)
        greedy = network(seed, cell=cell, beams=1, length_penalty=power)
        one = tuple(int(word) for word in greedy(inputs())["written"][0].numpy() if word >= 0)
        assert scores[one] <= scores[written] + 1e-4


def test_a_word_without_a_name_is_never_written() -> None:
    for seed in range(2):
        assert model_words(network(seed=seed, scale=6.0)) <= {0, 1, 2, 3, PAD}


def model_words(model: keras.Model) -> set[int]:
    return set(model(inputs())["written"].numpy().ravel().tolist())


def test_words_are_told_from_those_drawn() -> None:
    """Place by place, in plain arithmetic; a drawn word that is the place's own does not count."""
    size, draws = SIZES["target"] + 1, 8
    model = network(negatives=draws)
    layer: Translator = model.get_layer("translator")
    hidden = np.random.default_rng(1).normal(size=(2, 3, 6)).astype(np.float32)
    told = np.array([[1, 2, 5], [0, 5, 3]])
    state = layer.seed_generator.state.numpy()
    found = layer._losses_of(tf.constant(hidden), tf.constant(told), training=True).numpy()
    layer.seed_generator.state.assign(state)
    drawn = sampling.drawn((draws,), size, own_seed(layer.seed_generator)).numpy()
    assert len(set(drawn.tolist())) > 2
    scores = hidden @ np.array(layer.next_word.kernel) + np.array(layer.next_word.bias)
    often = draws * np.log((np.arange(size) + 2) / (np.arange(size) + 1)) / np.log(size + 1)
    scores = np.exp(scores - np.log(often))
    for row, place in itertools.product(range(2), range(3)):
        own = scores[row, place, told[row, place]]
        others = sum(scores[row, place, word] for word in drawn if word != told[row, place])
        assert found[row, place] == pytest.approx(-np.log(own / (own + others)), rel=1e-4)
    assert (model(inputs(), training=True)["written"].numpy() == PAD).all(), "nothing is written in training"


def test_a_layer_is_made_again_from_its_config() -> None:
    translator = network(layers=2, cell="lstm", beams=3).get_layer("translator")
    again = Translator.from_config(translator.get_config())
    assert (again.name, again.settings) == (translator.name, translator.settings)
    assert (again.settings.layers, again.settings.cell, again.beams) == (2, "lstm", 3)
