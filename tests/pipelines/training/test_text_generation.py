"""Text written by an exported language model."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Embedding, Vocabulary
from emberline.features.dataset_version import FEATURES, DatasetVersion
from emberline.features.errors import BadInputError
from emberline.models.text import language
from emberline.pipelines.datasets.text import ptb
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.text.generation import TextGenerator, chosen
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop

CYCLE = [f"w{number}" for number in range(7)]


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory, text_version: Callable[..., DatasetVersion]) -> TextGenerator:
    """Trained on a text in which w1 follows w0, w2 follows w1, and so on; `odd` came up too rarely to be known."""
    folder = tmp_path_factory.mktemp("cycle")
    texts = [" ".join(CYCLE[(start + place) % 7] for place in range(20)) for start in range(60)]
    rows = {"text": [*texts[1:], "odd " + texts[0]], "words": [20.0] * 60}
    words = Vocabulary("text", size=7, unseen_buckets=1, many=True)
    model = language.Config(Embedding(words, 16), layers=1, spread=0.3)
    version = text_version(folder, ptb.SCHEMA, model.columns, {"train": rows, "eval": rows})
    (folder / FEATURES).write_text(json.dumps(dict(version.features)))
    training = Training((Optimizer("adam", 0.03),), epochs=15, global_batch=20, workers=1, tensorboard=False)
    recipe = Recipe("any", "nowhere", "ptb", model, training)
    loop = Loop(recipe, version, str(folder / "out"), tf.distribute.get_strategy(), 0, lambda event: None)
    export(recipe, version, loop.run(), str(folder / "model"))
    return TextGenerator(str(folder / "model"))


@pytest.mark.slow
def test_a_text_goes_on_as_it_was_learned(generator: TextGenerator) -> None:
    assert generator.go_on("w2 w3", 12, temperature=0.2, seed=1) == [CYCLE[(4 + place) % 7] for place in range(12)]
    assert generator.go_on("w5", 9, top_k=1) == [CYCLE[(6 + place) % 7] for place in range(9)]


@pytest.mark.slow
def test_heat_makes_it_stray_and_a_seed_repeats_it(generator: TextGenerator) -> None:
    wild = [generator.go_on("w0", 40, temperature=50.0, seed=seed) for seed in (1, 1, 2)]
    assert wild[0] == wild[1] != wild[2]
    assert set(wild[0]) <= set(CYCLE), "words that it does not know are not written"
    assert len(set(wild[0])) > 4


@pytest.mark.slow
def test_what_cannot_be_gone_on_from_is_refused(generator: TextGenerator) -> None:
    for begin in ("odd w1", ""):
        with pytest.raises(BadInputError, match="at least one"):
            generator.go_on(begin, 3)
    with pytest.raises(BadInputError, match="a temperature above 0"):
        generator.go_on("w1", 3, temperature=0)


def test_words_are_drawn_by_their_chances() -> None:
    draw, logits = np.random.default_rng(1), np.log([0.5, 0.3, 0.15, 0.05])
    for temperature, top_k in ((1.0, 0), (0.5, 0), (1.0, 2)):
        found = np.bincount([chosen(logits, temperature, top_k, draw) for _ in range(4000)], minlength=4) / 4000
        expected = np.exp(logits / temperature) * (np.arange(4) < (top_k or 4))
        np.testing.assert_allclose(found, expected / expected.sum(), atol=0.03)
