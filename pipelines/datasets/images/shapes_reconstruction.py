"""Shapes to be drawn again: the same files as `shapes`, for models that learn the image itself."""

from dataclasses import replace

from emberline.pipelines.datasets.images.shapes import CLASSES, Shapes
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts


class ShapesReconstruction(Shapes):
    """Reads what `shapes` reads; the class goes along and is not learned."""

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes synthetic shapes; which folder they are in says nothing here."""
        return write_facts(directory, replace(super().generate(directory, seed=seed), best={}))


DATASET = ShapesReconstruction("shapes_reconstruction", CLASSES, "reconstruction")
