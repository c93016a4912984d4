"""Clicks on advertisements with wide & deep: 13 counts, 26 categories, and what their pairs add.

The model of Cheng et al., "Wide & Deep Learning for Recommender Systems", 2016, on the format of Criteo's "Display
Advertising Challenge", 2014. Counts enter as z-scores of their logarithms, and cut into twenty equal shares.
Categories of up to a few thousand values have learned vocabularies, in which values seen fewer than fifty times share
a few spare ids; larger ones are hashed.

Expect an AUC of 0.840 on the synthetic logs, where 0.852 is the best achievable; two minutes on two cores. More epochs
learn the noise of rare values, as they do on the real logs.
"""

from emberline.features.columns import Bucketized, Categorical, Crossed, Embedding, HashBucket, Numeric, Vocabulary
from emberline.models.tabular import wide_deep
from emberline.pipelines.recipe import Optimizer, Recipe, Schedule, Training

LARGE = (3, 4, 12, 16, 21, 24)
"""The categories with far more values than the others, in Criteo's data."""

COUNTS = tuple(f"I{index}" for index in range(1, 14))
CATEGORIES: tuple[Categorical, ...] = tuple(
    HashBucket(f"C{index}", 2_000) if index in LARGE else Vocabulary(f"C{index}", minimum_count=50, unseen_buckets=5)
    for index in range(1, 27)
)
SHARES = tuple(Bucketized(Numeric(name, default=0.0), quantiles=20) for name in COUNTS)

RECIPE = Recipe(
    name="clicks_wide_deep",
    source="Cheng et al., Wide & Deep Learning for Recommender Systems, 2016",
    dataset="clicks",
    model=wide_deep.Config(
        wide=(*CATEGORIES, *SHARES, Crossed(("C6", "C14"), 2_000), Crossed(("C17", "C23"), 1_000)),
        deep=(
            *(Numeric(name, normalizer="log1p", default=0.0) for name in COUNTS),
            *(Embedding(category, 8) for category in CATEGORIES),
        ),
        hidden_units=(64, 32),
        dropout=0.2,
    ),
    training=Training(
        optimizers=(
            Optimizer("adam", learning_rate=0.003, scope="wide", schedule=Schedule("cosine")),
            Optimizer("adam", learning_rate=0.002, scope="deep", schedule=Schedule("cosine")),
        ),
        epochs=3,
        global_batch=512,
    ),
)
