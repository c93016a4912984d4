"""Folders of image files, one for each class: `train/cat/0001.jpg`, or `cat/0001.jpg` without a division.

A data set of your own is a module in this folder with one line: `DATASET = ImageFolder("pets", ("cat", "dog"))`.
"""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Purpose, Schema
from emberline.pipelines.datasets.readers.file_folder import file_rows, folder_of_split, require_files, root_of
from emberline.pipelines.datasets.readers.raw_table import read_named
from emberline.pipelines.datasets.splits import held_out
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts

ENDINGS = ("jpg", "jpeg", "png", "gif", "bmp", "webp")


def image_schema(classes: tuple[str, ...], purpose: Purpose = "") -> Schema:
    """Returns one image and its class; `purpose` as of `Label`."""
    return Schema(
        fields=(Field("image", "image", required=True),),
        label=Label("label", classes=tuple((name,) for name in classes), purpose=purpose),
        key="path",
    )


class ImageFolder:
    """Reads files through Spark's `binaryFile`, so that executors list and open them.

    Args:
        name: Of the data set: that of its module.
        classes: Names of the folders, by class id.
        purpose: Of models, where they do not predict the class; as of `Label`.
    """

    def __init__(self, name: str, classes: tuple[str, ...], purpose: Purpose = "") -> None:
        self.name = name
        self.schema = image_schema(classes, purpose)

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`; the key is the path below it.

        Args:
            spark: The session.
            uri: The folder, or a Parquet table with the columns `image` and `label`.
            split: `train` or `eval`: what lies in folders of these names (or `test`, `val`), else a tenth of the files
                is held out, by a hash of their paths.

        Raises:
            BadInputError: if there is no such folder.
        """
        require_files(uri, "images")
        if uri.endswith(".parquet"):
            return read_named(spark, uri, self.schema)
        rows = image_files(spark, uri, root_of(uri))
        return rows if split is None else rows.where(in_split(uri, F.col(self.schema.key), split))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Refuses, since there are no synthetic rows for your own images.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its folder with --input.")

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


def in_split(uri: str, key: Column, split: str) -> Column:
    """Returns whether a file is of a split: it lies in a folder of that name, or a hash of its path says so.

    Args:
        uri: The folder of all files.
        key: A file's path below it.
        split: `train` or `eval`.
    """
    inside = folder_of_split(uri, key, split)
    if inside is not None:
        return inside
    return held_out(key) if split == "eval" else ~held_out(key)


def image_files(spark: SparkSession, uri: str, root: str) -> DataFrame:
    """Returns every image file at `uri`: its path below `root` (`path`), its bytes (`image`) and the folder it lies in
    (`label`), with what raw rows have besides.
    """
    return file_rows(spark, uri, root, "image", ENDINGS).withColumnRenamed("folder", "label")
