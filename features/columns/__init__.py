"""Feature columns: declarations of how raw fields become model inputs.

The names and the meaning are those of `tf.feature_column`. *Transformed* columns (`Numeric`, `Bucketized`,
`Identity`, `Vocabulary`, `HashBucket`, `Crossed`, and `Segments`, `Frequency`, `Image`, `Spectrum`, `Waveform` and
`Strokes`, which have no counterpart there) are computed by the ETL and stored. *Dense views* (`Indicator`, `Embedding`)
and `Weighted` say how a network reads them, and store nothing of their own.

TensorFlow is imported inside the methods: a declaration costs milliseconds. `docs/feature_columns.md` is the guide.
"""

from features.columns.bucketized import Bucketized
from features.columns.catalogue import arrow_schema, cardinalities, check, describe, needs, sized, stored
from features.columns.categorical import HashBucket, Identity
from features.columns.contract import NO_ID, PAD, Categorical, Column, Transform, Transformed, View
from features.columns.crossed import Crossed
from features.columns.dense import Embedding, Indicator, shared_embeddings
from features.columns.frequency import Frequency
from features.columns.image import Image
from features.columns.numeric import Normalizer, Numeric
from features.columns.segments import Segments
from features.columns.sound import Spectrum, Waveform
from features.columns.strokes import Strokes
from features.columns.vocabulary import Vocabulary
from features.columns.weighted import Weighted, Weights

__all__ = [
    "NO_ID",
    "PAD",
    "Bucketized",
    "Categorical",
    "Column",
    "Crossed",
    "Embedding",
    "Frequency",
    "HashBucket",
    "Identity",
    "Image",
    "Indicator",
    "Normalizer",
    "Numeric",
    "Segments",
    "Spectrum",
    "Strokes",
    "Transform",
    "Transformed",
    "View",
    "Vocabulary",
    "Waveform",
    "Weighted",
    "Weights",
    "arrow_schema",
    "cardinalities",
    "check",
    "describe",
    "needs",
    "shared_embeddings",
    "sized",
    "stored",
]
