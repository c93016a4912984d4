"""GoogLeNet's side classifiers: what they weigh, what they teach, and that they are gone where the model is used."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from emberline.features.columns import Image
from emberline.features.dataset_version import DatasetVersion
from emberline.features.errors import BadInputError
from emberline.features.schema import Label
from emberline.models.vision.imagenet import googlenet
from emberline.pipelines.recipe import Optimizer, Recipe, Training
from emberline.pipelines.training.step.training_step import TrainingStep

SMALL = Image("image", 80, 80)
CLASSES = 10
ROWS = 6
Rows = tuple[dict[str, np.ndarray], np.ndarray]


@pytest.fixture(scope="module")
def step(pictures: Callable[..., DatasetVersion]) -> TrainingStep:
    """One of six rows, by plain gradient descent."""
    label = Label("digit", tuple((str(number),) for number in range(CLASSES)))
    config = googlenet.Config(SMALL, outputs=CLASSES, side_weight=0.3)
    training = Training((Optimizer("sgd", 0.01),), epochs=1, global_batch=ROWS, workers=1)
    return TrainingStep(Recipe("any", "nowhere", "none", config, training), pictures((SMALL,), label), 10)


@pytest.fixture(scope="module")
def rows() -> Rows:
    draw = np.random.default_rng(2)
    pixels = draw.integers(0, 255, (ROWS, *SMALL.stored_shape)).astype(np.uint8)
    return {"image": pixels}, np.arange(ROWS).astype(np.float32)


def test_they_have_the_weights_that_the_paper_describes(step: TrainingStep) -> None:
    """Section 5: 128 filters of 1 x 1 over the pooled maps, 1,024 units, and the classes.

    It prints no number. At 224 x 224 the maps are 14 x 14 and 4 x 4 once pooled, of 512 and 528 channels; at 80 x 80
    they are 5 x 5 and 1 x 1.
    """

    def derived(channels: int, places: int, classes: int) -> int:
        return (channels + 1) * 128 + (places * 128 + 1) * 1024 + (1024 + 1) * classes

    assert derived(512, 16, 1000) + derived(528, 16, 1000) == 6_379_728
    counted = {"side_4a": 0, "side_4d": 0, "": 0}
    for variable in step.model.trainable_variables:
        scope = next(scope for scope in counted if variable.path.startswith(scope))
        counted[scope] += int(variable.value.shape.num_elements())
    main = 6_998_552 - 1_025 * (1000 - CLASSES)
    assert counted == {"side_4a": derived(512, 1, CLASSES), "side_4d": derived(528, 1, CLASSES), "": main}


@pytest.mark.slow
def test_all_of_it_has_them_at_the_published_size() -> None:
    model = googlenet.build(googlenet.Config(Image("image", 224, 224), side_weight=0.3), {})
    assert model.count_params() == 6_998_552 + 6_379_728


def test_their_losses_count_three_tenths_each(step: TrainingStep, rows: Rows) -> None:
    features, label = rows
    drawn = [(variable, variable.numpy()) for variable in step.model.non_trainable_variables]  # of dropout
    said = step.model(features, training=True)
    for variable, state in drawn:
        variable.assign(state)
    judge = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    main, first, second = (float(judge(label, said[name])) for name in ("logits", "side/4a", "side/4d"))
    loss, _ = step.checked_step(features, label)
    assert float(loss) == pytest.approx(main + 0.3 * (first + second), rel=1e-4)
    assert first != second


def test_they_teach_the_first_layers(step: TrainingStep, rows: Rows) -> None:
    """Once the main classifier is blind, gradients still come from the sides, to what lies before them alone."""
    step.model.get_layer("logits").kernel.assign(tf.zeros([1024, CLASSES]))
    _, gradients = step.checked_step(*rows)
    sizes = {
        variable.path: float(tf.reduce_max(tf.abs(gradient)))
        for variable, gradient in zip(step.model.trainable_variables, gradients, strict=True)
    }
    assert min(sizes[f"{name}/kernel"] for name in ("conv_1", "conv_2", "3a_one", "4a_one", "4d_one")) > 0
    assert max(size for path, size in sizes.items() if path.startswith(("4e", "5"))) == 0


def test_predictions_are_those_of_the_main_classifier(step: TrainingStep, rows: Rows) -> None:
    features, _ = rows
    said = step.model(features, training=False)
    predicted = step.predict(features)
    assert list(predicted) == ["class", "class_name", "score", "probabilities"]
    np.testing.assert_allclose(predicted["probabilities"], tf.nn.softmax(said["logits"]), rtol=1e-4, atol=1e-6)


def test_small_images_have_no_room_for_them() -> None:
    with pytest.raises(BadInputError, match="65 pixels or more, got 64 x 80"):
        googlenet.Config(Image("image", 64, 80), side_weight=0.3)
