"""Text out of a language model, word by word: each is drawn from what the model holds likely behind all before it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.statistics import Statistics
from emberline.pipelines.saved_model.named_inputs import arguments, input_spec

if TYPE_CHECKING:
    from emberline.pipelines.tracking import Tracker

NEXT_WORD = "next_word"
"""Signature of an exported language model: words and state in, logits of the next word and the new state out."""


class TextGenerator:
    """A language model that continues a text.

    Args:
        folder: Local folder of the exported model.

    Raises:
        BadInputError: if it is no language model.
    """

    def __init__(self, folder: str) -> None:
        import tensorflow as tf

        self._model = tf.saved_model.load(folder)
        if NEXT_WORD not in self._model.signatures:
            raise BadInputError(f"The model {folder!r} tells no next words. Give one of a recipe such as ptb_small.")
        self._next = self._model.signatures[NEXT_WORD]
        self._states = {
            name: tf.zeros([1, *spec.shape[1:]])
            for name, spec in input_spec(self._next).items()
            if spec.dtype == tf.float32
        }
        features = json.loads((Path(folder) / "features.json").read_text())
        read = set(input_spec(self._next)) - set(self._states)
        (column,) = (one for one in features["columns"] if one["name"] in read)
        self._column = column["name"]
        (field,) = column["fields"]
        self._tokens = Schema.from_json(features["schema"]).field(field).tokens
        listed = features["cardinalities"][self._column] - column["unseen_buckets"]
        uri = Statistics.from_json(features["statistics"], folder).vocabulary_uri(field)
        self._words = [line.partition("\t")[0] for line in storage.read_text(uri).split("\n")[:listed]]
        self._ids = {word: place for place, word in enumerate(self._words)}

    def go_on(
        self, begin: str, words: int, *, temperature: float = 1.0, top_k: int = 0, seed: int | None = None
    ) -> list[str]:
        """Returns as many words as given, to follow `begin`; words that the model does not know are never written.

        Args:
            begin: A text of one word at least.
            words: How many.
            temperature: Logits are divided by it: below 1 the likely become likelier.
            top_k: Only the so many likeliest are drawn from; 0 for all.
            seed: Of the draws; None for others each time.

        Raises:
            BadInputError: for numbers out of range, or a word in `begin` that the model does not know.
        """
        if temperature <= 0 or top_k < 0 or words < 1:
            raise BadInputError(
                f"Expected words of at least 1, a temperature above 0 and top_k of at least 0 (all), got {words}, "
                f"{temperature} and {top_k}."
            )
        given, draw, states = self._read(begin), np.random.default_rng(seed), self._states
        written: list[str] = []
        while len(written) < words:
            logits, states = self._step(given, states)
            given = [chosen(logits[: len(self._words)], temperature, top_k, draw)]
            written.append(self._words[given[0]])
        return written

    def _read(self, begin: str) -> list[int]:
        import tensorflow as tf

        found = [word.decode() for word in self._tokens.split(tf.constant([begin]))[0].numpy()] if self._tokens else []
        unknown = [word for word in found if word not in self._ids]
        if unknown or not found:
            raise BadInputError(f"The model knows no {unknown}; begin with words it was trained on, at least one.")
        return [self._ids[word] for word in found]

    def _step(self, ids: list[int], states: dict[str, Any]) -> tuple[NDArray[np.float64], dict[str, Any]]:
        import tensorflow as tf

        # The last place is that of the word to come.
        outputs = self._next(**arguments({self._column: tf.constant([[*ids, -1]], tf.int64)}), **states)
        return outputs["logits"].numpy()[0].astype(np.float64), {name: outputs[name] for name in states}


def chosen(logits: NDArray[np.float64], temperature: float, top_k: int, draw: np.random.Generator) -> int:
    """Returns the id of a word drawn by softmax(logits / temperature), of the `top_k` likeliest if that is not 0."""
    logits = logits / temperature
    if top_k and top_k < len(logits):
        kept = np.argpartition(-logits, top_k - 1)[:top_k]
        logits = np.where(np.isin(np.arange(len(logits)), kept), logits, -np.inf)
    chances = np.exp(logits - logits.max())
    return int(draw.choice(len(logits), p=chances / chances.sum()))


def generate(
    tracker: "Tracker", model: str, begin: str, words: int, *, temperature: float, top_k: int, seed: int | None
) -> dict[str, object]:
    """Generates text of a registered model or of a training's: what `emberline generate` prints.

    Args:
        tracker: The registry.
        model: As `emberline.pipelines.artifacts.model_files.model_files` takes it.
        begin, words, temperature, top_k, seed: See `TextGenerator.go_on`.

    Raises:
        BadInputError: if there is no such model, or see `TextGenerator`.
    """
    from emberline.pipelines.artifacts.model_files import model_files

    with model_files(tracker, model) as found:
        written = TextGenerator(found.folder).go_on(begin, words, temperature=temperature, top_k=top_k, seed=seed)
    return {"model": found.name, "text": " ".join([begin, *written])}
