"""Two convolutions and two dense layers on 24 x 24 pixels of a small photograph.

"Convolutional Neural Networks" of the TensorFlow 1.8 documentation (CIFAR-10), 1,068,298 weights with local response
normalisation; with batch normalisation, as in the TensorLayer book too, 1,068,426.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Image

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels.
        crop: Width and height of what the network looks at: in training a random part of each image, otherwise its
            middle.
        flip: Half of the images are mirrored in training.
        brightness: Up to so much is added to all pixels in training, or taken away; 1 is the step from black to white.
        contrast: In training, distances from the mean are multiplied by 1 - contrast to 1 + contrast.
        normalization: `response`: local response normalisation; `batch`: batch normalisation before the rectifiers.
        outputs: Number of classes.
    """

    image: Image
    crop: int = 24
    flip: bool = True
    brightness: float = 63 / 255
    contrast: float = 0.8
    normalization: Literal["response", "batch"] = "response"
    outputs: int = 10

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.vision.augmentation import Augmentation, Standardised
    from emberline.models.vision.heads import class_logits
    from emberline.models.vision.image_input import model_input, scaled
    from emberline.models.vision.layers import LocalResponseNormalization

    layers, image = keras.layers, config.image

    def start(deviation: float, bias: float) -> dict[str, keras.initializers.Initializer]:
        return {
            "kernel_initializer": keras.initializers.TruncatedNormal(stddev=deviation),
            "bias_initializer": keras.initializers.Constant(bias),
        }

    def convolved(inputs: keras.KerasTensor, index: int) -> keras.KerasTensor:
        batch = config.normalization == "batch"
        convolution = layers.Conv2D(
            64, 5, padding="same", use_bias=not batch, name=f"conv_{index}", **start(0.05, 0.1 * index)
        )
        found = convolution(inputs)
        if batch:
            found = layers.BatchNormalization(name=f"norm_{index}")(found)
        return layers.ReLU(name=f"relu_{index}")(found)

    def normalized(inputs: keras.KerasTensor, index: int) -> keras.KerasTensor:
        return inputs if config.normalization == "batch" else LocalResponseNormalization(name=f"norm_{index}")(inputs)

    def pooled(inputs: keras.KerasTensor, index: int) -> keras.KerasTensor:
        return layers.MaxPooling2D(3, 2, "same", name=f"pool_{index}")(inputs)

    pixels = model_input(image)
    room = min(image.height, image.width) - config.crop
    # Moved by up to half of what the crop leaves, then cut in the middle: a random part.
    changes = Augmentation(room // 2, config.flip, brightness=config.brightness, contrast=config.contrast)
    hidden = layers.CenterCrop(config.crop, config.crop, name="crop")(scaled(pixels, changes))
    hidden = Standardised(name="standardised")(hidden)
    hidden = normalized(pooled(convolved(hidden, 0), 0), 0)
    hidden = pooled(normalized(convolved(hidden, 1), 1), 1)
    hidden = layers.Flatten(name="flat")(hidden)
    for index, units in enumerate((384, 192)):
        hidden = layers.Dense(units, "relu", name=f"dense_{index}", **start(0.04, 0.1))(hidden)
    logits = class_logits(hidden, config.outputs, **start(1 / 192, 0.0))
    return keras.Model({image.name: pixels}, logits, name="cifar_small")
