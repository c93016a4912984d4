"""MNIST's digits as `mnist_embedding` sees them: the predictions that it writes with `score --keys row,digit`."""

from features.schema import Field, Label, Schema
from pipelines.datasets import mnist
from pipelines.datasets.named_table import NamedTable
from pipelines.recipes.mnist_embedding import WIDTH

SCHEMA = Schema(
    (Field("embedding", "float", required=True, shape=(WIDTH,)),), Label("digit", mnist.SCHEMA.label.classes), "row"
)
DATASET = NamedTable("mnist_vectors", SCHEMA)
