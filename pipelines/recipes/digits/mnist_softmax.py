"""MNIST with softmax regression: one layer, from 784 pixels to ten digits.

Reproduces "MNIST For ML Beginners" of the TensorFlow documentation: 7,850 weights, gradient descent at 0.5, a thousand
steps of 100 images; it reports an accuracy of "about 92 %" on the 10,000 test digits after training on 55,000.

Expect an accuracy of 0.918 on 2,000 held-out digits after training on 8,000, the mean of three seeds
(`python -m benchmarks.digits`); a minute on two cores, nearly all of it starting Spark and the workers.
"""

from emberline.features.columns import Image
from emberline.models.vision.digits import mlp
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="mnist_softmax",
    source="TensorFlow documentation, Tutorials: MNIST For ML Beginners",
    dataset="mnist",
    model=mlp.Config(Image("image", height=28, width=28, channels=1), hidden_units=(), outputs=10),
    training=Training(
        optimizers=(Optimizer("sgd", learning_rate=0.5),), epochs=13, global_batch=100, checkpoint_every="5 epochs"
    ),
    gate=Gate("accuracy", 0.8),
)
