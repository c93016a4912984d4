"""Digits by a linear model of what another network says of them: transfer learning, with each image read once.

After "How to Retrain an Image Classifier for New Categories" of the TensorFlow documentation, whose bottlenecks
are the predictions of `mnist_embedding` here: `emberline score` writes a vector per image, and this trains on those.
"""

from emberline.features.columns import Numeric
from emberline.models.tabular import dnn
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training
from emberline.pipelines.recipes.digits.mnist_embedding import WIDTH

RECIPE = Recipe(
    name="mnist_vectors",
    source="TensorFlow 1.8 documentation, How to Retrain an Image Classifier for New Categories",
    dataset="mnist_vectors",
    model=dnn.Config((Numeric("embedding", shape=(WIDTH,)),), (), outputs=10),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.01),), epochs=20, global_batch=100, checkpoint_every="10 epochs"
    ),
    gate=Gate("accuracy", 0.8),
)
