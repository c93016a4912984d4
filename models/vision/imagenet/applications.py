"""The networks of Keras Applications, on stored images: with their own heads, or as a trunk below a new one.

| network | weights for 1,000 classes | published in |
|---|---|---|
| `VGG16`, `VGG19` | 138,357,544, 143,667,240 | Simonyan, Zisserman, "Very Deep Convolutional Networks …" |
| `InceptionV3` | 23,851,784 | Szegedy and others, "Rethinking the Inception Architecture …" |
| `ResNet50`, `ResNet152` | 25,636,712, 60,419,944 | He and others, "Deep Residual Learning …" |
| `MobileNet` | 4,253,864 | Howard and others, "MobileNets …" |
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from emberline.features.columns import Column, Image
from emberline.features.errors import BadInputError
from emberline.models.vision.imagenet.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

CENTRED = ("VGG16", "VGG19", "ResNet50", "ResNet152")
"""Read blue, green and red from 0 to 255, less the means of ImageNet; the others red, green and blue from -1 to 1."""

MEANS = (103.939, 116.779, 123.68)
"""Of blue, green and red."""


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The pixels, in three channels. The published sizes are 224 x 224, and 299 x 299 for `InceptionV3`.
        network: Name in Keras Applications.
        width: Factor of the filters of `MobileNet`: 1, 0.75, 0.5 or 0.25.
        weights: Of the published network or of its trunk, as Keras Applications offers them for download.
        head: `own`: the published one, for three classes or more. `new`: the mean of the last maps and one dense layer.
        frozen: Layers of the trunk that keep their weights, from its beginning; -1 for all of them. In a frozen part,
            batch normalisation keeps its averages too.
        outputs: Number of classes.
    """

    image: Image
    network: Literal["VGG16", "VGG19", "InceptionV3", "ResNet50", "ResNet152", "MobileNet"]
    width: float = 1.0
    weights: Weights = field(default_factory=Weights)
    head: Literal["own", "new"] = "own"
    frozen: int = 0
    outputs: int = 1000

    def __post_init__(self) -> None:
        if self.image.channels != 3:
            raise BadInputError(f"{self.network} reads three channels, the image {self.image.name!r} has 1.")
        if self.width != 1 and self.network != "MobileNet":
            raise BadInputError(f"model.width={self.width} is for MobileNet, not for {self.network}.")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to a logit per class, `[batch, outputs]`."""
    import keras

    from emberline.models.vision.heads import class_logits
    from emberline.models.vision.image_input import model_input

    pixels = model_input(config.image)
    if config.head == "own":
        logits = trunk(config)(prepared(pixels, config.network))
    else:
        logits = class_logits(embedded(config, pixels), config.outputs)
    return keras.Model({config.image.name: pixels}, logits, name=config.network.lower())


def embedded(config: Config, pixels: "keras.KerasTensor") -> "keras.KerasTensor":
    """Returns the mean of the last maps: `[batch, channels]`, 2,048 for `InceptionV3` and larger residual networks."""
    return trunk(config)(prepared(pixels, config.network))


def prepared(pixels: "keras.KerasTensor", network: str) -> "keras.KerasTensor":
    """Returns pixels as the published weights want them."""
    import keras

    if network not in CENTRED:
        return keras.layers.Rescaling(1 / 127.5, -1.0, name="prepared")(pixels)
    reversed_channels = keras.ops.flip(keras.ops.cast(pixels, "float32"), axis=-1)
    return keras.layers.Normalization(mean=list(MEANS), variance=[1.0] * 3, name="prepared")(reversed_channels)


def trunk(config: Config) -> "keras.Model":
    """Returns the network of Keras Applications, with its weights, and frozen as asked."""
    import keras

    from emberline.models.vision.imagenet.weights import load

    image = config.image
    options: dict[str, Any] = {"alpha": config.width} if config.network == "MobileNet" else {}
    if config.head == "own":
        options |= {"classes": config.outputs, "classifier_activation": None}
    made = getattr(keras.applications, config.network)(
        include_top=config.head == "own",
        weights=None,
        input_shape=(image.height, image.width, 3),
        pooling=None if config.head == "own" else "avg",
        **options,
    )
    load(config.weights, made)
    frozen = len(made.layers) if config.frozen < 0 else config.frozen
    for layer in made.layers[:frozen]:
        layer.trainable = False
    return made
