"""What a critic and the one it judges make smaller: three ways to set them against each other."""

from typing import Literal, TypeAlias

import keras
from keras import ops

Adversarial: TypeAlias = Literal["gan", "lsgan", "wgan"]

WGAN_LIMIT = 0.01
"""Size to which the weights of a Wasserstein critic are cut."""


def adversarial_losses(
    kind: Adversarial, real: keras.KerasTensor, fake: keras.KerasTensor
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Returns losses of discriminator and generator for each row, `[batch]`.

    `gan`: Goodfellow and others, "Generative Adversarial Nets", with the generator's loss that does not saturate.
    `lsgan`: Mao and others, "Least Squares Generative Adversarial Networks". `wgan`: Arjovsky, Chintala, Bottou,
    "Wasserstein GAN", whose critic needs weights of bounded size (`critic_bounds`).

    Args:
        kind: Which of them.
        real: The critic's logits for real images, `[batch]`.
        fake: For made ones.
    """
    match kind:
        case "gan":
            return ops.softplus(-real) + ops.softplus(fake), ops.softplus(-fake)
        case "lsgan":
            return (ops.square(real - 1) + ops.square(fake)) / 2, ops.square(fake - 1) / 2
        case "wgan":
            return fake - real, -fake


def critic_bounds(kind: Adversarial, *parameters: str) -> dict[str, keras.constraints.Constraint]:
    """Returns more arguments of a layer of a critic, which keep these parameters of it, such as `kernel`, within
    bounds.

    A Wasserstein critic must not change faster than in proportion to its input. As in the paper, all its parameters are
    cut to a box after each of its steps, those of batch normalisation too.
    """
    from emberline.models.vision.layers import Clipped

    return {f"{name}_constraint": Clipped(WGAN_LIMIT) for name in parameters} if kind == "wgan" else {}
