"""Gender of a face, by the network that Levi and Hassner made for it.

After "Age and Gender Classification using Convolutional Neural Networks", with one logit instead of two classes, 513
weights less, and Adam instead of their steps. Its photographs, Adience's, come by `--input`, in a folder `f` and a
folder `m`; without, faces are drawn, of which 3 % lie in a folder drawn at random.

Expect the accuracy of a reader who knows how they were drawn, 0.99 on the 200 held out: that was measured at 99 x 99
(`--set model.image.height=99 --set model.image.width=99`), ten seconds an epoch on one core.
At 227 x 227 an epoch takes about five times as long.
"""

from emberline.features.columns import Image
from emberline.models.vision.faces import gender_age
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

RECIPE = Recipe(
    name="faces_gender",
    source="Levi, Hassner, Age and Gender Classification using Convolutional Neural Networks",
    dataset="faces_gender",
    model=gender_age.Config(Image("image", 227, 227), outputs=1),
    training=Training(optimizers=(Optimizer("adam", learning_rate=0.0001),), epochs=4, global_batch=50),
    gate=Gate("accuracy", 0.8),
)
