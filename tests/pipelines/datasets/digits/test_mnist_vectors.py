"""Vectors are as wide as the network makes them that writes them."""

from emberline.pipelines.datasets.digits import mnist_vectors
from emberline.pipelines.recipes import load_recipe


def test_vectors_are_as_wide_as_those_of_the_recipe_that_writes_them() -> None:
    assert load_recipe("mnist_embedding").model.width == mnist_vectors.WIDTH
    assert mnist_vectors.SCHEMA.field("embedding").shape == (mnist_vectors.WIDTH,)
