"""AC-GAN on small images: a generator with a class as input, and a critic that predicts the class.

Odena, Olah, Shlens, "Conditional Image Synthesis with Auxiliary Classifier GANs", in the shape of Keras' example
`mnist_acgan`: 8,172,521 weights of the generator and 525,835 of the discriminator.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from emberline.features.columns import Column, Image
from emberline.features.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

CONVOLUTIONS = ((32, 2), (64, 1), (128, 2), (256, 1))
"""Filters and strides of the discriminator."""


@dataclass(frozen=True)
class Config:
    """The network. `training.optimizers` needs one of scope `generator` and one of scope `discriminator`.

    Args:
        image: The pixels of real images; height and width are multiples of 4.
        classes: Of the label.
        noise: Numbers that an image is made of.
        units: Width of the generator's first dense layer.
        loss: `gan`, `lsgan` or `wgan`.
    """

    image: Image
    classes: int = 10
    noise: int = 100
    units: int = 1024
    loss: Literal["gan", "lsgan", "wgan"] = "gan"

    def __post_init__(self) -> None:
        if self.image.height % 4 or self.image.width % 4:
            raise BadInputError(f"model.image: expected multiples of 4, got {self.image.height} x {self.image.width}.")

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
    from emberline.models.vision.layers import DrawnClass, Noise

    layers, ops, image = keras.layers, keras.ops, config.image
    bounded = critic_bounds(config.loss, "kernel", "bias")

    def generated(noise: keras.KerasTensor, drawn: keras.KerasTensor) -> keras.KerasTensor:
        height, width = image.height // 4, image.width // 4
        start = {"kernel_initializer": "glorot_normal"}
        kind = layers.Embedding(config.classes, config.noise, name="generator_class")(drawn)
        hidden = layers.Multiply(name="generator_code")([noise, kind])
        hidden = layers.Dense(config.units, "relu", name="generator_dense_0")(hidden)
        hidden = layers.Dense(128 * height * width, "relu", name="generator_dense_1")(hidden)
        hidden = layers.Reshape((height, width, 128), name="generator_maps")(hidden)
        for index, filters in enumerate((256, 128)):
            hidden = layers.UpSampling2D(2, name=f"generator_{index}_grow")(hidden)
            convolution = layers.Conv2D(
                filters, 5, padding="same", activation="relu", name=f"generator_{index}_conv", **start
            )
            hidden = convolution(hidden)
        last = layers.Conv2D(image.channels, 2, padding="same", activation="tanh", name="generator_image", **start)
        return last(hidden)

    judging = []
    for index, (filters, stride) in enumerate(CONVOLUTIONS):
        name = f"discriminator_{index}"
        judging.append(layers.Conv2D(filters, 3, stride, "same", name=f"{name}_conv", **bounded))
        judging.append(layers.LeakyReLU(0.3, name=f"{name}_relu"))
        judging.append(layers.Dropout(0.3, name=f"{name}_dropout"))
    judging.append(layers.Flatten(name="discriminator_flat"))
    logit = layers.Dense(1, name="discriminator_logit", **bounded)
    classes = layers.Dense(config.classes, name="discriminator_classes")

    def judged(images: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        for layer in judging:
            images = layer(images)
        return ops.squeeze(logit(images), -1), classes(images)

    pixels = model_input(image)
    drawn = DrawnClass(config.classes, name="drawn_class")(pixels)
    made = generated(Noise(config.noise, uniform=True, name="noise")(pixels), drawn)
    (real, real_classes), (fake, fake_classes) = judged(scaled(pixels) * 2 - 1), judged(made)
    discriminator, generator = adversarial_losses(config.loss, real, fake)
    missed = ops.sparse_categorical_crossentropy(drawn, fake_classes, from_logits=True)
    outputs = {"generated": (made + 1) / 2, "real": real, "fake": fake, "classes": real_classes}
    outputs |= {"loss/generator": generator + missed, "loss/discriminator": discriminator + missed}
    return keras.Model({image.name: pixels}, outputs, name="acgan")
