"""Drawings by convolutions and LSTMs in both directions over the steps of the pen.

Reproduces "Recurrent Neural Networks for Drawing Classification" of the TensorFlow 1.8 documentation (1,142,265
weights for 345 words), which reports an accuracy of about 0.70 after a million steps of 8 drawings of "Quick, Draw!".
The page's code loses the column that says where strokes end, and its text says that this column marks where they begin;
here it is kept, and marks the last point.

Expect an accuracy of 0.98 on the 170 held-out drawings of the stand-in, six shapes of which one drawing in fifty has
the wrong name; two minutes of training on one busy core.
"""

from emberline.features.columns import Strokes
from emberline.models.strokes import conv_lstm
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="drawings_conv_lstm",
    source="TensorFlow 1.8 documentation, Tutorials: Recurrent Neural Networks for Drawing Classification",
    dataset="drawings",
    model=conv_lstm.Config(Strokes("across", "down", "ends"), outputs=6),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.002),),
        epochs=10,
        global_batch=32,
        workers=1,
        clip_norm=9.0,
        checkpoint_every="10 epochs",
    ),
    gate=Gate("accuracy", 0.5),
)
