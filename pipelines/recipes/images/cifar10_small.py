"""Ten kinds of things in small photographs, with two convolutions and local response normalisation.

Reproduces "Convolutional Neural Networks" of the TensorFlow 1.8 documentation (1,068,298 weights; averages of weights,
L2 on the dense layers, random crops, flips, brightness and contrast), which reports an accuracy of 0.86 on CIFAR-10
after 100,000 steps, a few hours on a GPU: as many as `--set training.epochs=256`.

`--set model.normalization=batch` is the TensorLayer book's network with batch normalisation (1,068,426 weights).
Not trained on CIFAR-10 here, whose files are not available.
"""

from emberline.features.columns import Image
from emberline.models.vision.cifar import small
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training

RATE = Schedule("staircase", steps=350 * 390, factor=0.1)

RECIPE = Recipe(
    name="cifar10_small",
    source="TensorFlow 1.8 documentation, Tutorials: Convolutional Neural Networks",
    dataset="cifar10",
    model=small.Config(Image("image", 32, 32)),
    training=Training(
        optimizers=(
            # The source's factor 0.004 is of half the sum of squares.
            Optimizer("sgd", 0.1, scope="dense", schedule=RATE, l2=0.002),
            Optimizer("sgd", 0.1, schedule=RATE),
        ),
        epochs=20,
        global_batch=128,
        average_decay=0.9999,
    ),
    gate=Gate("accuracy", 0.2),
)
