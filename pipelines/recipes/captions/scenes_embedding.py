"""Synthetic pictures of two shapes as vectors of 64 numbers: the encoder that `scene_captions` builds on.

Learns to tell 324 scenes apart; what it says just before is the vector, as with encoders of photographs that learned
ImageNet's classes.
"""

from emberline.features.columns import Image
from emberline.models.vision.faces import embedding
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Schedule, Training

WIDTH, SCENES, SIDE = 64, 324, 40

RECIPE = Recipe(
    name="scenes_embedding",
    source="Vinyals, Toshev, Bengio, Erhan, Show and Tell (its encoder's part)",
    dataset="scenes",
    model=embedding.Config(
        Image("image", SIDE, SIDE, 3), width=WIDTH, filters=(16, 32, 64), loss="softmax", persons=SCENES
    ),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.003, schedule=Schedule("cosine", end=0.05)),),
        epochs=8,
        global_batch=64,
        checkpoint_every="4 epochs",
    ),
    gate=Gate("auc", 0.9),
)
