"""SRGAN: four times the height and width of a photograph; 1,518,147 weights of the generator.

Ledig and others, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", as the
TensorLayer book's chapter on super-resolution has it, whose discriminator has 48,153,921 weights at 384 x 384. Trained
twice: by the squared error alone (`adversarial=0`), and from there (`--warm-start`) with a critic.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from emberline.features.columns import Column, Image
from emberline.features.errors import BadInputError
from emberline.models.vision.imagenet.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import keras

CRITIC = (64, 128, 256, 512, 1024, 2048)
"""Filters of the discriminator's convolutions, each of which halves the size."""

FACTOR = 4


@dataclass(frozen=True)
class Config:
    """The network.

    Args:
        image: The large image; the network makes it small by bicubic interpolation and then large again.
        blocks: Residual blocks of the generator.
        adversarial: Factor of what the critic says, 0.001 in the source; 0 for no critic. With one,
            `training.optimizers` needs the scopes `generator` and `discriminator`.
        perceptual: Factor of the squared error of VGG-19's fourth maps, 2e-6 in the source; 0 for none.
        vgg: Weights of VGG-19, as Keras Applications offers them without its head.
    """

    image: Image
    blocks: int = 16
    adversarial: float = 0.0
    perceptual: float = 0.0
    vgg: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        parts = 2 ** len(CRITIC) if self.adversarial else FACTOR
        if self.image.channels != 3 or self.image.height % parts or self.image.width % parts:
            raise BadInputError(
                f"model.image: expected 3 channels, height and width multiples of {parts}, got "
                f"{self.image.height} x {self.image.width} x {self.image.channels}."
            )
        if self.perceptual and not (self.vgg.uri and self.adversarial):
            raise BadInputError("model.perceptual needs model.vgg, the weights of VGG-19, and model.adversarial.")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to `reconstruction` and `target`, and with a critic the losses of both parts."""
    import keras

    from emberline.models.vision.generative.adversarial import adversarial_losses
    from emberline.models.vision.image_input import model_input, scaled

    ops, image = keras.ops, config.image
    pixels = model_input(image)
    target = scaled(pixels)
    size = (image.height // FACTOR, image.width // FACTOR)
    small = ops.image.resize(target, size, interpolation="bicubic", antialias=True)
    made = _generated(small * 2 - 1, config.blocks)
    drawn = ops.clip((made + 1) / 2, 0.0, 1.0)
    outputs = {"reconstruction": drawn, "target": target}
    if config.adversarial:
        critic = _critic()
        discriminator, generator = adversarial_losses("gan", critic(target * 2 - 1), critic(made))
        error = ops.mean(ops.square(made - (target * 2 - 1)), axis=(1, 2, 3)) + config.adversarial * generator
        if config.perceptual:
            seen = _seen(config.vgg)
            error += config.perceptual * ops.mean(ops.square(seen(drawn) - seen(target)), axis=(1, 2, 3))
        outputs |= {"loss/generator": error, "loss/discriminator": discriminator}
    return keras.Model({image.name: pixels}, outputs, name="srgan")


def _generated(small: "keras.KerasTensor", blocks: int) -> "keras.KerasTensor":
    """Returns a small image of -1 to 1 made large."""
    import keras

    from emberline.models.vision.layers import DepthToSpace

    layers = keras.layers

    def convolved(inputs: keras.KerasTensor, name: str) -> keras.KerasTensor:
        convolution = layers.Conv2D(64, 3, padding="same", use_bias=False, name=f"{name}_conv")
        return layers.BatchNormalization(name=f"{name}_norm")(convolution(inputs))

    hidden = first = layers.Conv2D(64, 3, padding="same", activation="relu", name="generator_first")(small)
    for index in range(blocks):
        name = f"generator_block_{index}"
        inner = layers.ReLU(name=f"{name}_relu")(convolved(hidden, f"{name}_0"))
        hidden = layers.Add(name=f"{name}_add")([hidden, convolved(inner, f"{name}_1")])
    hidden = layers.Add(name="generator_across")([first, convolved(hidden, "generator_last")])
    for index in range(2):
        hidden = layers.Conv2D(256, 3, padding="same", name=f"generator_grow_{index}")(hidden)
        hidden = layers.ReLU(name=f"generator_relu_{index}")(DepthToSpace(name=f"generator_shuffle_{index}")(hidden))
    return layers.Conv2D(3, 1, activation="tanh", name="generator_image")(hidden)


def _critic() -> "Callable[[keras.KerasTensor], keras.KerasTensor]":
    """Returns images of -1 to 1 to logits of being real, `[batch]`; the same weights in every call."""
    import keras

    layers = keras.layers

    def block(filters: int, size: int, stride: int, name: str, *, last: bool = False) -> list[keras.layers.Layer]:
        found = [
            layers.Conv2D(filters, size, stride, "same", use_bias=False, name=f"discriminator_{name}_conv"),
            layers.BatchNormalization(name=f"discriminator_{name}_norm"),
        ]
        return found if last else [*found, layers.LeakyReLU(0.2, name=f"discriminator_{name}_relu")]

    first, *others = CRITIC
    down = [layers.Conv2D(first, 4, 2, "same", name="discriminator_first"), layers.LeakyReLU(0.2)]
    for filters in others:
        down += block(filters, 4, 2, str(filters))
    down += [*block(1024, 1, 1, "narrow"), *block(512, 1, 1, "narrower", last=True)]
    inner = [*block(128, 1, 1, "inner_0"), *block(128, 3, 1, "inner_1"), *block(512, 3, 1, "inner_2", last=True)]
    end = [layers.LeakyReLU(0.2), layers.Flatten(), layers.Dense(1, name="discriminator_logit")]

    def through(part: list[keras.layers.Layer], images: keras.KerasTensor) -> keras.KerasTensor:
        for layer in part:
            images = layer(images)
        return images

    def judged(images: keras.KerasTensor) -> keras.KerasTensor:
        seen = through(down, images)
        return keras.ops.squeeze(through(end, seen + through(inner, seen)), -1)

    return judged


def _seen(weights: Weights) -> "keras.Model":
    """Returns images of 0 to 1 to the fourth maps of VGG-19 on 224 x 224, which no training changes."""
    import keras

    from emberline.models.vision.imagenet.applications import prepared
    from emberline.models.vision.imagenet.weights import load

    trunk = keras.applications.VGG19(include_top=False, weights=None, input_shape=(224, 224, 3))
    load(weights, trunk)
    images = keras.Input((None, None, 3))
    sized = keras.ops.image.resize(images, (224, 224), interpolation="bilinear")
    maps = keras.Model(trunk.input, trunk.get_layer("block4_pool").output)
    seen = keras.Model(images, maps(prepared(sized * 255, "VGG19")), name="vgg")
    seen.trainable = False
    return seen
