"""MNIST's digits to be drawn again: the same files as `mnist`, for models that learn the image itself."""

from dataclasses import replace
from typing import ClassVar

from emberline.features.schema import Schema
from emberline.pipelines.datasets.digits import mnist
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts


class MnistReconstruction(mnist.Mnist):
    """Reads what `mnist` reads; the digit goes along and is not learned."""

    name: ClassVar[str] = "mnist_reconstruction"
    schema: ClassVar[Schema] = replace(mnist.SCHEMA, label=replace(mnist.SCHEMA.label, purpose="reconstruction"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes synthetic digits; how well they can be told apart says nothing here."""
        return write_facts(directory, replace(super().generate(directory, seed=seed), best={}))


DATASET = MnistReconstruction()
