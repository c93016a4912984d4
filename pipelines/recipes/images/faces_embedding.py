"""Faces in places of 64 numbers, near to those of the same person, by the triplet loss.

After "FaceNet: A Unified Embedding for Face Recognition and Clustering", above a small residual network instead of
theirs. Evaluated by pairs: ten folds, ROC, equal error rate, and how many pairs are accepted where one in ten, a
hundred or a thousand strangers is. Photographs come by `--input`, in a folder for each person; without, faces are
drawn.

Expect an AUC of 0.97 and an equal error rate of 0.08 over pairs of the 200 held-out pictures of drawn persons, who were
all seen in training; five seconds an epoch on one core.
"""

from emberline.features.columns import Image
from emberline.models.vision.faces import embedding
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="faces_embedding",
    source="Schroff, Kalenichenko, Philbin, FaceNet",
    dataset="faces_persons",
    model=embedding.Config(Image("image", 48, 48), width=64, filters=(16, 32, 64)),
    training=Training(optimizers=(Optimizer("adam", learning_rate=0.001),), epochs=8, global_batch=100),
    gate=Gate("auc", 0.9),
)
