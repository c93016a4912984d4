"""Digits by a linear model of 2,000 random Fourier features of the pixels.

Reproduces the kernel classifier of "Improving Linear Models Using Explicit Kernel Methods" in the TensorFlow 1.8
documentation (20,010 trained weights, a Gaussian kernel of deviation 5), which reports 0.97.

Expect an accuracy of 0.950 on 2,000 held-out digits after training on 8,000; of 0.965 with
`--set model.dimensions=8000`; the kernel itself (ridge regression) reaches 0.972 with so few digits
(`python -m benchmarks.digits`).
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import fourier
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_fourier",
    source="TensorFlow 1.8 documentation, Improving Linear Models Using Explicit Kernel Methods",
    dataset="mnist",
    model=fourier.Config(Image("image", 28, 28, 1)),
    training=Training(
        # The source has FTRL at 50, a rate at which the biases never come to rest.
        optimizers=(Optimizer("adam", learning_rate=0.03),),
        epochs=30,
        global_batch=256,
        checkpoint_every="10 epochs",
    ),
    gate=Gate("accuracy", 0.9),
)
