"""Feature columns: declarations of how raw fields become model inputs.

The names and the meaning are those of `tf.feature_column`. *Transformed* columns (`Numeric`, `Bucketized`,
`Identity`, `Vocabulary`, `HashBucket`, `Crossed`, and `Segments`, `Frequency`, `Image`, `Spectrum`, `Waveform` and
`Strokes`, which have no counterpart there) are computed by the ETL and stored. *Dense views* (`Indicator`, `Embedding`)
and `Weighted` say how a network reads them, and store nothing of their own.

TensorFlow is imported inside the methods: a declaration costs milliseconds. `docs/feature_columns.md` is the guide.
"""

from emberline.features.columns.bucketized import Bucketized
from emberline.features.columns.catalogue import arrow_schema, cardinalities, check, describe, needs, sized, stored
from emberline.features.columns.categorical import HashBucket, Identity
from emberline.features.columns.contract import NO_ID, PAD, Categorical, Column, Transform, Transformed, View
from emberline.features.columns.crossed import Crossed
from emberline.features.columns.dense import Embedding, Indicator, shared_embeddings
from emberline.features.columns.numeric import Normalizer, Numeric
from emberline.features.columns.unstructured.frequency import Frequency
from emberline.features.columns.unstructured.image import Image
from emberline.features.columns.unstructured.segments import Segments
from emberline.features.columns.unstructured.sound import Spectrum, Waveform
from emberline.features.columns.unstructured.strokes import Strokes
from emberline.features.columns.vocabulary import Vocabulary
from emberline.features.columns.weighted import Weighted, Weights

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
