"""Digits made out of noise by a DCGAN of two sizes.

After "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks", with the paper's
optimizers and half the filters in half the layers, for images of 28 x 28. Look at `pictures/` below the training, or
in its MLflow run: a hundred digits after each epoch, from the same noise.

`python -m benchmarks.pictures` measures how far its digits are from real ones.
"""

from emberline.features.columns import Image
from emberline.models.vision.generative import dcgan
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_dcgan",
    source="Radford, Metz, Chintala, Unsupervised Representation Learning with DCGANs",
    dataset="mnist_generation",
    model=dcgan.Config(Image("image", 28, 28, 1), (32, 64)),
    training=Training(
        optimizers=tuple(Optimizer("adam", 0.0002, scope, beta_1=0.5) for scope in ("generator", "discriminator")),
        epochs=25,
        global_batch=64,
        checkpoint_every="5 epochs",
    ),
    gate=Gate("generated_realness", 0.05),
)
