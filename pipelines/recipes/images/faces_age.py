"""Which of eight ranges a face's age is in, by the network that Levi and Hassner made for it.

After "Age and Gender Classification using Convolutional Neural Networks", with Adam instead of their steps. Its
photographs, Adience's, come by `--input`, in a folder for each range, `0-2` to `60-100`; without, faces are drawn, of
which 3 % lie in a folder drawn at random.

Expect an accuracy of 0.70 on the 200 held out, still rising, where a reader who knows how they were drawn has 0.99:
that was measured at 99 x 99 (`--set model.image.height=99 --set model.image.width=99`), ten seconds an epoch on one
core. At 227 x 227 an epoch takes about five times as long.
"""

from emberline.features.columns import Image
from emberline.models.vision.faces import gender_age
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="faces_age",
    source="Levi, Hassner, Age and Gender Classification using Convolutional Neural Networks",
    dataset="faces_age",
    model=gender_age.Config(Image("image", 227, 227), outputs=8),
    training=Training(optimizers=(Optimizer("adam", learning_rate=0.0002),), epochs=12, global_batch=50),
    gate=Gate("accuracy", 0.4),
)
