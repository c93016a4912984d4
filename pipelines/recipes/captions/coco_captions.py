"""Captions of photographs by Show and Tell, with the sizes and rates of its program im2txt.

Reproduces the textbook's section on image captions, as far as the words: the encoder is a job of its own, which reads
each photograph once, and stays as it is (im2txt trains it too, in a second phase). 512 units, vectors of 512 numbers,
the words that come four times or more, dropout 0.3. Gradient descent at rate 2, halved every 146,590 steps (eight
epochs of im2txt, which trains on most of the held-out photographs too); gradients clipped at 5, batches of 32, a
million steps, three beams. No score was measured here. The paper has 27.7 BLEU-4, against five sentences; here is one.
"""

from emberline.features.columns import Embedding, Numeric, Vocabulary
from emberline.models.text import captions
from emberline.pipelines.recipe import Gate, Optimizer, Preparation, Recipe, Schedule, Training

RECIPE = Recipe(
    name="coco_captions",
    source="Vinyals, Toshev, Bengio, Erhan, Show and Tell: A Neural Image Caption Generator",
    dataset="coco_captions",
    model=captions.Config(
        Numeric("embedding", shape=(2048,)),
        Embedding(Vocabulary("caption", minimum_count=4, unseen_buckets=1, many=True), 512),
    ),
    training=Training(
        optimizers=(Optimizer("sgd", learning_rate=2.0, schedule=Schedule("staircase", steps=146_590, factor=0.5)),),
        epochs=77,
        global_batch=32,
        clip_norm=5.0,
        bucket_by="caption",
    ),
    preparation=Preparation(rows_per_block=100),
    gate=Gate("bleu", 0.1),
)
