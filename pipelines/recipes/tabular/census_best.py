"""Census income as well as feature columns and one small network can: capital gains and losses by exact amount.

Not from a book. What the documented columns miss is the shape of two numbers: gains and losses matter by their
exact amounts, because tax rules do. Buckets at every thousandth of the ranks let an embedding learn that shape,
and bring the network level with gradient-boosted trees (0.873 accuracy, 0.927 AUC with scikit-learn's).

Expect about 0.873 accuracy and 0.927 AUC on the official test file; under a minute of training on two cores.
"""

from emberline.features.columns import Bucketized, Embedding, Numeric, Vocabulary
from emberline.models.tabular import wide_deep
from emberline.pipelines.recipe import Evaluation, Optimizer, Recipe, Schedule, Training

WIDTH = 8
EDGES = 1000
TEXTS = ("workclass", "education", "marital_status", "occupation", "relationship", "race", "gender", "native_country")
NUMBERS = ("age", "education_num", "capital_gain", "capital_loss", "hours_per_week")

RECIPE = Recipe(
    name="census_best",
    source="emberline",
    dataset="census",
    model=wide_deep.Config(
        wide=(),
        deep=(
            *(Numeric(name, normalizer="zscore") for name in NUMBERS),
            *(Embedding(Vocabulary(name), WIDTH) for name in TEXTS),
            Embedding(Bucketized(Numeric("capital_gain"), quantiles=EDGES), WIDTH),
            Embedding(Bucketized(Numeric("capital_loss"), quantiles=EDGES), WIDTH),
        ),
        hidden_units=(128, 64),
        dropout=0.3,
    ),
    evaluation=Evaluation(slices=("gender", "age:30,50")),
    training=Training(
        optimizers=(Optimizer("adam", learning_rate=0.002, schedule=Schedule("cosine")),),
        epochs=8,
        global_batch=256,
    ),
)
