"""Sentences about synthetic pictures: the captions of `scenes`, with what `scenes_embedding` says of each picture.

Without that folder the vectors are synthetic too: those of an encoder that sees everything, mixed and with some noise.
"""

import numpy as np
from numpy.typing import NDArray

from emberline.pipelines.datasets.captions import scenes
from emberline.pipelines.datasets.captions.captions import Captions, write_vectors
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts

WIDTH = 64
"""Of the vectors that the recipe `scenes_embedding` writes."""


class SceneCaptions(Captions):
    """Writes its files itself."""

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes the captions of `scenes`, and vectors instead of pictures; every sentence can be known."""
        generator = np.random.default_rng(seed)
        files = scenes.made_up()
        facts = np.array([known(scene) for _, split in files.values() for scene in split])
        shape = (facts.shape[1], *self.schema.field("embedding").shape)
        mixed = facts @ generator.normal(size=shape)
        vectors = mixed + generator.normal(0, 0.1, mixed.shape)
        scenes.write_captions(directory)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        write_vectors(directory, [name for names, _ in files.values() for name in names], vectors.astype(np.float32))
        return write_facts(directory, Synthetic({"bleu": 1.0}, seed))


def known(scene: scenes.Scene) -> NDArray[np.float64]:
    """Returns everything about a scene, a 1 for each thing that is so."""
    size, one, place, two = scene
    things = [(scenes.THINGS.index(thing), len(scenes.THINGS)) for thing in (one, two)]
    choices = [*things, (list(scenes.SIZES).index(size), 2), (scenes.PLACES.index(place), 2)]
    return np.concatenate([np.eye(count)[chosen] for chosen, count in choices])


DATASET = SceneCaptions("scene_captions", WIDTH)
