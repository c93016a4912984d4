"""Places for MNIST's digits: the same files as `mnist`, for models that put images of one digit close together."""

from dataclasses import replace
from typing import ClassVar

from emberline.features.schema import Schema
from emberline.pipelines.datasets.digits import mnist
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts


class MnistEmbedding(mnist.Mnist):
    """Reads what `mnist` reads; the digit says which images belong together."""

    name: ClassVar[str] = "mnist_embedding"
    schema: ClassVar[Schema] = replace(mnist.SCHEMA, label=replace(mnist.SCHEMA.label, purpose="embedding"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes synthetic digits; how well they can be told apart by name says nothing here."""
        return write_facts(directory, replace(super().generate(directory, seed=seed), best={}))


DATASET = MnistEmbedding()
