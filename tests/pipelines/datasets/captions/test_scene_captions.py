"""Vectors are as wide as the network makes them that writes them."""

from emberline.pipelines.datasets.captions import scene_captions
from emberline.pipelines.recipes import load_recipe


def test_vectors_are_as_wide_as_those_of_the_recipe_that_writes_them() -> None:
    assert load_recipe("scenes_embedding").model.width == scene_captions.WIDTH
    (image,) = (field for field in scene_captions.DATASET.schema.fields if field.shape)
    assert image.shape == (scene_captions.WIDTH,)
