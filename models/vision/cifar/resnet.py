"""Residual networks of 6n + 2 layers for images of 32 x 32: 269,722 weights for 20 layers, 853,018 for 56.

He, Zhang, Ren, Sun, "Deep Residual Learning for Image Recognition", section 4.2: three stages of 16, 32 and 64 filters,
and shortcuts without weights, where new channels begin as zeros.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

STAGES = (16, 32, 64)


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels.
        depth: Layers with weights: 20, 32, 44, 56, 110.
        shift: In training, images are moved by up to so many pixels and half of them mirrored; 0 for neither.
        outputs: Number of classes.
    """

    image: Image
    depth: int = 20
    shift: int = 4
    outputs: int = 10

    def __post_init__(self) -> None:
        if self.depth < 8 or (self.depth - 2) % 6:
            raise BadInputError(f"model.depth={self.depth}: expected 6n + 2 layers, such as 20, 32, 44, 56 or 110.")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.vision.augmentation import Augmentation
    from emberline.models.vision.heads import class_logits
    from emberline.models.vision.image_input import model_input, scaled

    layers, ops = keras.layers, keras.ops

    def convolved(inputs: keras.KerasTensor, filters: int, stride: int, name: str) -> keras.KerasTensor:
        convolution = layers.Conv2D(
            filters, 3, stride, "same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv"
        )
        return layers.BatchNormalization(momentum=0.9, name=f"{name}_norm")(convolution(inputs))

    pixels = model_input(config.image)
    changes = Augmentation(config.shift, flip=config.shift > 0)
    hidden = layers.ReLU(name="stem_relu")(convolved(scaled(pixels, changes), STAGES[0], 1, "stem"))
    for stage, filters in enumerate(STAGES):
        for block in range((config.depth - 2) // 6):
            name, stride = f"stage_{stage}_block_{block}", 2 if stage and not block else 1
            shortcut = hidden
            if stride == 2:
                more = filters - STAGES[stage - 1]
                halved = layers.MaxPooling2D(1, 2, name=f"{name}_shortcut")(shortcut)
                shortcut = ops.pad(halved, [[0, 0], [0, 0], [0, 0], [more // 2, more - more // 2]])
            first = layers.ReLU(name=f"{name}_relu_0")(convolved(hidden, filters, stride, f"{name}_0"))
            added = layers.Add(name=f"{name}_add")([convolved(first, filters, 1, f"{name}_1"), shortcut])
            hidden = layers.ReLU(name=f"{name}_relu_1")(added)
    mean = layers.GlobalAveragePooling2D(name="mean")(hidden)
    logits = class_logits(mean, config.outputs, kernel_initializer="he_normal")
    return keras.Model({config.image.name: pixels}, logits, name=f"resnet_{config.depth}")
