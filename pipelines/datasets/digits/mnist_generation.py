"""More of MNIST's digits: the same files as `mnist`, for models that make images like them."""

from dataclasses import replace
from typing import ClassVar

from emberline.features.schema import Schema
from emberline.pipelines.datasets.digits import mnist
from emberline.pipelines.datasets.synthetic import Synthetic, write_facts


class MnistGeneration(mnist.Mnist):
    """Reads what `mnist` reads; the digit tells a model what it may be asked to draw."""

    name: ClassVar[str] = "mnist_generation"
    schema: ClassVar[Schema] = replace(mnist.SCHEMA, label=replace(mnist.SCHEMA.label, purpose="generation"))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Writes synthetic digits; how well they can be told apart says nothing here."""
        return write_facts(directory, replace(super().generate(directory, seed=seed), best={}))


DATASET = MnistGeneration()
