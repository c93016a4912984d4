"""Language models: their sizes, what a text costs read in one go and in parts, and what they do not look at."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import PAD, Embedding, Vocabulary
from emberline.models.text import language, next_word
from emberline.models.text.next_word import NextWord
from emberline.pipelines.recipes import load_recipe

SIZE, WIDTH = 13, 6
TEXTS = [[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [12, 3, 3, 1], [5]]


def network(**settings: Any) -> tuple[language.Config, keras.Model]:
    keras.utils.set_random_seed(2)
    config = language.Config(Embedding(Vocabulary("text", many=True), WIDTH), spread=0.8, **settings)
    return config, language.build(config, {"text": SIZE})


def padded(texts: list[list[int]], longest: int = 0) -> np.ndarray:
    longest = longest or max(map(len, texts))
    return np.array([text + [PAD] * (longest - len(text)) for text in texts], np.int64)


@pytest.mark.parametrize(
    ("name", "weights"), [("ptb_small", 4_651_600), ("ptb_medium", 19_775_200), ("ptb_large", 66_022_000)]
)
def test_the_networks_have_the_published_sizes(name: str, weights: int) -> None:
    recipe = load_recipe(name)
    with tf.device("CPU"):
        assert recipe.model_module.build(recipe.model, {"text": 10_000}).count_params() == weights


@pytest.mark.parametrize("settings", [{}, {"cell": "gru", "layers": 1}, {"dropout": 0.3}], ids=str)
def test_a_text_in_parts_costs_what_it_costs_whole(settings: dict[str, Any]) -> None:
    config, model = network(**settings)
    carried = language.carried(config, model)
    assert {id(weight) for weight in carried.weights} == {id(weight) for weight in model.weights}
    whole = model({"text": padded(TEXTS)})
    assert whole["tokens"].numpy().tolist() == [9, 3, 0]
    state = {name: tf.zeros((3, WIDTH)) for name in config.states}
    total = np.zeros(3)
    ids = padded(TEXTS, 13)
    for begin in (0, 4, 8):
        said = carried({"text": tf.constant(ids[:, begin : begin + 5]), **state})
        state = {name: said[name] for name in config.states}
        total += said["loss"].numpy()
    np.testing.assert_allclose(total, whole["loss"], rtol=1e-4)
    np.testing.assert_allclose(whole["loss"], whole["loss/"])


def test_the_loss_is_that_of_the_words_that_came() -> None:
    """Word by word by the logits of the carried network."""
    config, model = network()
    carried, text = language.carried(config, model), TEXTS[0]
    loss = 0.0
    for end in range(1, len(text)):
        state = {name: tf.zeros((1, WIDTH)) for name in config.states}
        logits = (
            carried({"text": tf.constant([[*text[:end], PAD]], tf.int64), **state})["logits"].numpy()[0].astype(float)
        )
        loss -= logits[text[end]] - np.log(np.exp(logits).sum())
    np.testing.assert_allclose(model({"text": np.array([text])})["loss"].numpy()[0], loss, rtol=1e-4)


def test_the_other_texts_of_a_batch_do_not_matter() -> None:
    _, model = network()
    together = model({"text": padded(TEXTS)})["loss"].numpy()
    alone = [model({"text": np.array([text])})["loss"].numpy()[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, rtol=1e-4)


def test_places_looked_at_in_turns_cost_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = NextWord(SIZE)
    hidden = np.random.default_rng(1).normal(size=(3, 7, WIDTH)).astype(np.float32)
    ids = np.random.default_rng(2).integers(-1, SIZE, (3, 7))
    at_once = layer(hidden, ids, training=True)
    for places in (4, 21, 100):
        monkeypatch.setattr(next_word, "PLACES", places)
        np.testing.assert_allclose(layer(hidden, ids), at_once, rtol=1e-5)
