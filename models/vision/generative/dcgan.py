"""DCGAN: images out of noise by transposed convolutions, judged by a mirror image of the generator.

Radford, Metz, Chintala, "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
as the TensorLayer book's chapter on faces has it: for images of 64 x 64 in three channels 5,135,363 weights of the
generator and 4,316,545 of the discriminator.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Image
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras


@dataclass(frozen=True)
class Config:
    """The network. `training.optimizers` needs one of scope `generator` and one of scope `discriminator`.

    Args:
        image: The pixels of real images.
        filters: Of the discriminator's convolutions, each of which halves the size; the generator's in reverse.
        noise: Numbers that an image is made of.
        loss: `gan`, `lsgan` or `wgan`.
    """

    image: Image
    filters: tuple[int, ...] = (64, 128, 256, 512)
    noise: int = 100
    loss: Literal["gan", "lsgan", "wgan"] = "gan"

    def __post_init__(self) -> None:
        parts = 2 ** len(self.filters)
        if self.image.height % parts or self.image.width % parts:
            raise BadInputError(
                f"model.filters halves the image {len(self.filters)} times: height and width must be multiples of "
                f"{parts}, got {self.image.height} x {self.image.width}."
            )

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.image,)

    @property
    def outputs(self) -> int:
        """Several by name."""
        return 0


def build(config: Config, cardinalities: "Mapping[str, int]") -> "keras.Model":
    """Returns a model from images to what `emberline.pipelines.tasks.generation` asks for."""
    import keras

    from emberline.models.vision.generative.adversarial import adversarial_losses, critic_bounds
    from emberline.models.vision.image_input import model_input, scaled
    from emberline.models.vision.layers import Noise

    layers, ops, image = keras.layers, keras.ops, config.image
    start = {"kernel_initializer": keras.initializers.RandomNormal(stddev=0.02)}
    around_one = keras.initializers.RandomNormal(1.0, 0.02)

    def generated(noise: keras.KerasTensor) -> keras.KerasTensor:
        *rest, widest = config.filters
        parts = 2 ** len(config.filters)
        height, width = image.height // parts, image.width // parts
        hidden = layers.Dense(height * width * widest, name="generator_dense", **start)(noise)
        hidden = layers.Reshape((height, width, widest), name="generator_maps")(hidden)
        for index, filters in enumerate((*reversed(rest), image.channels)):
            name = f"generator_{index}"
            hidden = layers.BatchNormalization(gamma_initializer=around_one, name=f"{name}_norm")(hidden)
            hidden = layers.ReLU(name=f"{name}_relu")(hidden)
            hidden = layers.Conv2DTranspose(filters, 5, 2, "same", name=f"{name}_conv", **start)(hidden)
        return layers.Activation("tanh", name="generator_tanh")(hidden)

    judging, bounded = [], critic_bounds(config.loss, "kernel", "bias")
    for index, filters in enumerate(config.filters):
        name = f"discriminator_{index}"
        judging.append(layers.Conv2D(filters, 5, 2, "same", name=f"{name}_conv", **start, **bounded))
        if index:
            scales = critic_bounds(config.loss, "gamma", "beta")
            judging.append(layers.BatchNormalization(gamma_initializer=around_one, name=f"{name}_norm", **scales))
        judging.append(layers.LeakyReLU(0.2, name=f"{name}_relu"))
    judging.append(layers.Flatten(name="discriminator_flat"))
    judging.append(layers.Dense(1, name="discriminator_logit", **start, **bounded))

    def judged(images: keras.KerasTensor) -> keras.KerasTensor:
        for layer in judging:
            images = layer(images)
        return ops.squeeze(images, -1)

    pixels = model_input(image)
    made = generated(Noise(config.noise, name="noise")(pixels))
    real, fake = judged(scaled(pixels) * 2 - 1), judged(made)
    discriminator, generator = adversarial_losses(config.loss, real, fake)
    outputs = {"generated": (made + 1) / 2, "real": real, "fake": fake}
    outputs |= {"loss/generator": generator, "loss/discriminator": discriminator}
    return keras.Model({image.name: pixels}, outputs, name="dcgan")
