"""Held-out pictures where an embedding network puts them, as TensorBoard's projector reads them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

from emberline.features.columns import Image
from emberline.features.dataset_version import DatasetVersion
from emberline.features.schema import Label
from emberline.models.vision.faces import embedding
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.loop import Loop


def test_each_row_has_a_place_a_name_and_its_picture(pictures: Callable[..., DatasetVersion], tmp_path: Path) -> None:
    image = Image("image", 8, 12)
    version = pictures((image,), Label("kind", (("cat",), ("dog",), ("owl",)), purpose="embedding"))
    training = Training((Optimizer("adam", 0.01),), epochs=1, global_batch=16, workers=1)
    recipe = Recipe("any", "nowhere", "none", embedding.Config(image, 5, (4,)), training)
    loop = Loop(recipe, version, str(tmp_path), tf.distribute.get_strategy(), 0, lambda event: None)
    loop.run()
    (features, label), *_ = loop.batches.evaluation()
    folder = tmp_path / "tensorboard"
    (entry,) = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig()).embeddings
    rows = [line.split("\t") for line in (folder / entry.tensor_path).read_text().splitlines()]
    expected = loop.step.predict(features)["embedding"].numpy()
    assert expected.shape == (16, 5)
    np.testing.assert_allclose(np.array(rows, float), expected, atol=1e-5)
    names = np.array(["cat", "dog", "owl"])[label.numpy().astype(int)]
    assert (folder / entry.metadata_path).read_text().split() == names.tolist()
    # Pictures of width 12 and height 8, four in a row.
    assert list(entry.sprite.single_image_dim) == [12, 8]
    sheet = tf.io.decode_png((folder / entry.sprite.image_path).read_bytes()).numpy()
    assert sheet.shape == (4 * 8, 4 * 12, 3)
    np.testing.assert_array_equal(sheet[8:16, 12:24], features["image"][5])
