"""A sentence about an image: each step against plain arithmetic, and beams that miss nothing likelier."""

import itertools
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import NO_ID, PAD, Embedding, Numeric, Vocabulary
from emberline.features.errors import BadInputError
from emberline.models.text import captions
from emberline.models.text.captioner import Captioner

IMAGE = Numeric("embedding", shape=(3,))
CAPTION = Embedding(Vocabulary("caption", many=True, unseen_buckets=1), 4)
WORDS, UNITS = 5, 6
IMAGES = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)
WRITTEN = [[1, 2], [0, 4, 3], [], [2]]


def network(seed: int = 3, scale: float = 3.0, **settings: Any) -> keras.Model:
    keras.utils.set_random_seed(seed)
    given: dict[str, Any] = {"units": UNITS, "longest": 3} | settings
    model = captions.build(captions.Config(IMAGE, CAPTION, **given), {"caption": WORDS})
    for weight in model.trainable_weights:  # as they begin, all words are about as likely
        weight.assign(weight * scale)
    return model


def inputs(written: list[list[int]] = WRITTEN) -> dict[str, Any]:
    longest = max(map(len, written))
    ids = [text + [PAD] * (longest - len(text)) for text in written]
    return {"embedding": IMAGES[: len(written)], "caption": np.array(ids, np.int64)}


def log_chances(
    model: keras.Model, image: np.ndarray, text: tuple[int, ...], left_out: tuple[int, ...] = ()
) -> np.ndarray:
    """Of all words at each place of a text and behind it, `[words + 1, ids]`, by the formulas of the LSTM."""
    layer: Captioner = model.get_layer("captioner")
    kernel, recurrent, bias = (np.array(weight) for weight in layer.decoder.weights)
    table, output = np.array(layer.write.embeddings), (np.array(layer.next_word.kernel), np.array(layer.next_word.bias))

    def sigmoid(values: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-values))

    hidden = cell = np.zeros(UNITS)
    found = []
    for vector in (image @ np.array(layer.look.kernel), *(table[word] for word in (WORDS, *text))):
        gate, forget, new, out = np.split(vector @ kernel + hidden @ recurrent + bias, 4)
        cell = sigmoid(forget) * cell + sigmoid(gate) * np.tanh(new)
        hidden = sigmoid(out) * np.tanh(cell)
        logits = hidden @ output[0] + output[1]
        logits[list(left_out)] = -np.inf
        found.append(logits - np.log(np.exp(logits).sum()))
    return np.array(found[1:])  # at the image's own step nothing is told


def test_the_loss_is_the_sum_of_the_surprises_of_the_words() -> None:
    model = network()
    found = model(inputs())
    assert found["tokens"].numpy().tolist() == [3, 4, 0, 2], "the end counts; without a caption nothing does"
    assert found["reference"].numpy().tolist() == [[1, 2, PAD], [0, NO_ID, 3], [PAD] * 3, [2, PAD, PAD]]
    for place, text in enumerate(WRITTEN):
        chances = log_chances(model, IMAGES[place], tuple(text))
        expected = -sum(chances[step, word] for step, word in enumerate((*text, WORDS))) if text else 0.0
        assert found["loss"][place].numpy() == pytest.approx(expected, rel=1e-4)
    mean = float(tf.reduce_sum(found["loss"]) / tf.reduce_sum(found["tokens"]))
    assert float(tf.reduce_mean(found["loss/"])) == pytest.approx(mean, rel=1e-5)
    assert (network(dropout=0.5)(inputs(), training=True)["written"].numpy() == PAD).all(), "training writes nothing"


def every_text(model: keras.Model, image: np.ndarray) -> dict[tuple[int, ...], float]:
    """Log probabilities of all texts of up to three named words; only the shorter ones come with their end."""
    found = {}
    for length in range(4):
        for text in itertools.product(range(WORDS - 1), repeat=length):
            chances = log_chances(model, image, text, left_out=(WORDS - 1,))  # which has no name and is never written
            told = (*text, WORDS) if length < 3 else text
            found[text] = float(sum(chances[step, word] for step, word in enumerate(told)))
    return found


def test_beams_find_what_is_likely() -> None:
    for seed in (3, 4):
        texts = {beams: network(seed, beams=beams)(inputs())["written"].numpy() for beams in (1, 3, 85)}
        for place, image in enumerate(IMAGES):
            scores = every_text(network(seed), image)
            one, three, all_of_them = (
                scores[tuple(int(word) for word in texts[beams][place] if word >= 0)] for beams in (1, 3, 85)
            )
            assert one <= three + 1e-4
            assert all_of_them == pytest.approx(max(scores.values()), abs=1e-4)


def test_an_image_is_one_vector() -> None:
    with pytest.raises(BadInputError, match=r"an image is a vector; got 512, 20, 3 and shape=\(\)"):
        captions.Config(Numeric("embedding"), CAPTION)
