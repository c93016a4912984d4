"""MNIST with two convolutions: the network of "A Guide to TF Layers".

Layers as in "A Guide to TF Layers: Building a Convolutional Neural Network" of the TensorFlow 1.8 documentation:
3,274,634 weights, dropout 0.4. It trains with plain gradient descent at 0.001 for 20,000 steps of 100 images, and
reports 97.3 %; Adam gets further in a twentieth of the steps.

Expect an accuracy of 0.982 on 2,000 held-out digits after training on 8,000 (`python -m benchmarks.digits`); two
minutes on two cores.
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import cnn
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_cnn",
    source="TensorFlow 1.8 documentation, Tutorials: A Guide to TF Layers",
    dataset="mnist",
    model=cnn.Config(Image("image", height=28, width=28, channels=1)),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.001),), epochs=8, global_batch=100, checkpoint_every="2 epochs"
    ),
    gate=Gate("accuracy", 0.9),
)
