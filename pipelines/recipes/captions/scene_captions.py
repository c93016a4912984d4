"""Sentences about synthetic pictures, from what an encoder said of each: an LSTM that sees the vector first, three
beams.

    emberline run scenes_embedding
    SCENES=emberline-workspace/raw/scenes-synthetic-1
    emberline score --pipeline scenes_embedding --model models:/emberline-scenes_embedding-synthetic@champion \\
                    --input $SCENES --output $SCENES/vectors
    emberline run scene_captions --input $SCENES

Expect a BLEU of 0.94 on the 648 held-out pictures; an encoder that sees everything would allow 1.
"""

from emberline.features.columns import Embedding, Numeric, Vocabulary
from emberline.models.text import captions
from emberline.pipelines.recipe import Gate, Optimizer, Preparation, Recipe, Schedule, Training
from emberline.pipelines.recipes.captions.scenes_embedding import WIDTH

RECIPE = Recipe(
    name="scene_captions",
    source="Vinyals, Toshev, Bengio, Erhan, Show and Tell: A Neural Image Caption Generator",
    dataset="scene_captions",
    model=captions.Config(
        Numeric("embedding", "zscore", shape=(WIDTH,)),
        Embedding(Vocabulary("caption", unseen_buckets=1, many=True), 32),
        units=96,
        dropout=0.1,
    ),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.003, schedule=Schedule("cosine", end=0.05)),),
        epochs=8,
        global_batch=64,
        clip_norm=5.0,
    ),
    preparation=Preparation(rows_per_block=200),
    gate=Gate("bleu", 0.5),
)
