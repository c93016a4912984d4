"""Folders of images and of their masks: `images/0001.jpg` beside `masks/0001.png`, below `train` and `eval` or not.

A data set of your own is a module in this folder with one line: `DATASET = MaskFolder("tumours")`.
"""

from urllib.parse import urlsplit

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.readers.image_folder import image_files, in_split
from emberline.pipelines.datasets.readers.raw_table import read_named
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts

IMAGES, MASKS = "images", "masks"


class MaskFolder:
    """Reads each image with its mask, the file of the same name whose folder is called `masks` instead of `images`.

    The label only says that there is a mask (1): a row without one can be scored and not learned from.

    Args:
        name: Of the data set: that of its module.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.schema = Schema(
            fields=(Field("image", "image", required=True), Field("mask", "image")),
            label=Label("marked", purpose="segmentation"),
            key="path",
        )

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`; the key is the path of the image below it.

        Args:
            spark: The session.
            uri: The folder, or a Parquet table with the columns `image`, `mask` and `marked`.
            split: As of `ImageFolder.read`.

        Raises:
            BadInputError: if there is no such folder.
        """
        if not storage.is_folder(uri):
            raise BadInputError(
                f"No folder at {uri!r}: expected one with files such as {IMAGES}/0001.jpg and {MASKS}/0001.png."
            )
        if uri.endswith(".parquet"):
            return read_named(spark, uri, self.schema)
        files = image_files(spark, uri, urlsplit(uri).path.rstrip("/") + "/").drop("label")
        key = F.col("path")
        # An image and its mask may differ in their ending.
        place = F.regexp_replace(key, r"\.[^./]+$", "")
        of_masks = F.concat(F.lit("/"), place).contains(f"/{MASKS}/")
        masks = files.where(of_masks).select(
            F.regexp_replace(place, f"(^|/){MASKS}/", f"$1{IMAGES}/").alias("place"),
            F.col("image").alias("mask"),
            F.lit("1").alias("marked"),
        )
        images = files.where(~of_masks).withColumn("place", place)
        if split is not None:
            images = images.where(in_split(uri, key, split))
        return images.join(masks, "place", "left").drop("place")

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Refuses, since there are no synthetic rows for your own images.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its folder with --input.")

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)
