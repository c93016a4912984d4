"""House prices on a grid, by linear regression: bucketized latitude and longitude, and their cross in 5,000 bins.

Reproduces the sketch in "Feature Columns" of the TensorFlow 1.8 documentation (Get Started), which gives neither data
nor result: Atlanta cut into 100 × 100 cells, whose 10,000 pairs are hashed into 5,000 bins. Latitude and longitude by
themselves can only add up; the cross lets the model learn a price for each cell, and the two columns beside it help
where two cells share a bin.

Expect a root mean squared error of 26.0 thousand dollars on the synthetic city, where 25.1 is the best achievable; a
test shows that without the cross it is more than half as large again. A minute and a half on two cores, most of it
starting the workers.
"""

from emberline.features.columns import Bucketized, Crossed, Numeric
from emberline.models.tabular import linear
from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training

CELLS, STEP = 100, 0.0025
LATITUDE = Bucketized(Numeric("latitude"), tuple(round(33.65 + STEP * edge, 4) for edge in range(1, CELLS)))
LONGITUDE = Bucketized(Numeric("longitude"), tuple(round(-84.55 + STEP * edge, 4) for edge in range(1, CELLS)))

RECIPE = Recipe(
    name="houses_crossed",
    source="TensorFlow 1.8 documentation, Get Started: Feature Columns",
    dataset="houses",
    model=linear.Config(wide=(LATITUDE, LONGITUDE, Crossed((LATITUDE, LONGITUDE), 5000))),
    training=Training(
        optimizers=(Optimizer("ftrl", learning_rate=1.0),),
        epochs=20,
        global_batch=256,
        checkpoint_every="5 epochs",
    ),
    gate=Gate("rmse", 100.0),
)
