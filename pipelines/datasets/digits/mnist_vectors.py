"""MNIST's digits as `mnist_embedding` sees them: the predictions that it writes with `score --keys row,digit`."""

from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.digits import mnist
from emberline.pipelines.datasets.readers.named_table import NamedTable

WIDTH = 32
"""Of the vectors that the recipe `mnist_embedding` writes."""

SCHEMA = Schema(
    (Field("embedding", "float", required=True, shape=(WIDTH,)),), Label("digit", mnist.SCHEMA.label.classes), "row"
)
DATASET = NamedTable("mnist_vectors", SCHEMA)
