"""Networks over texts: what they may not depend on."""

from typing import Any

import keras
import numpy as np
import pytest

from emberline.features.columns import PAD, Embedding, Segments
from emberline.models.text import convolutional, recurrent
from emberline.pipelines.recipes import load_recipe

WORDS = Embedding(Segments("message"), 8)
SIZE = {"message": 11}


@pytest.mark.parametrize(
    "config",
    [
        recurrent.Config(WORDS, units=5),
        recurrent.Config(WORDS, units=5, cell="gru", bidirectional=True),
        convolutional.Config(WORDS, length=6),
    ],
    ids=["lstm", "gru both ways", "convolution"],
)
def test_the_other_texts_of_a_batch_do_not_matter(config: Any) -> None:
    module = recurrent if isinstance(config, recurrent.Config) else convolutional
    keras.utils.set_random_seed(2)
    network = module.build(config, SIZE)
    texts = [[1, 2, 3, 4, 5, 6, 7, 8, 9], [10, -1, 3], [4], []]
    longest = max(map(len, texts))
    together = np.array([text + [PAD] * (longest - len(text)) for text in texts], np.int64)
    alone = [network({"message": np.array([text or [PAD]], np.int64)}).numpy()[0] for text in texts]
    np.testing.assert_allclose(network({"message": together}).numpy(), alone, atol=1e-6)
    assert len({round(float(score), 5) for score in alone}) == len(texts), "each text has a score of its own"


@pytest.mark.parametrize(
    ("name", "parameters"), [("antispam_nbow", 80_601), ("antispam_rnn", 67_905), ("antispam_cnn", 3_643)]
)
def test_weights_beside_the_vectors_are_the_books(name: str, parameters: int) -> None:
    """One logit where the book has two: 201, 65 and 37 weights fewer than its 80,802, 67,970 and 3,680."""
    recipe = load_recipe(name)
    network = recipe.model_module.build(recipe.model, {"message": 30})
    assert network.count_params() - 30 * 200 == parameters
