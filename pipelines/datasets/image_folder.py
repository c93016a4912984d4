"""Folders of image files, one for each class: `train/cat/0001.jpg`, or `cat/0001.jpg` without a division.

A data set of one's own is a module in this folder with one line: `DATASET = ImageFolder("pets", ("cat", "dog"))`.
"""

from urllib.parse import urlsplit

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from features import storage
from features.errors import BadInputError
from features.schema import Field, Label, Purpose, Schema
from features.validation.rows import FAULT, RAW, SOURCE
from pipelines.datasets.raw_table import hidden, read_named
from pipelines.datasets.splits import NAMES, held_out
from pipelines.datasets.synthetic import Synthetic, read_facts

ENDINGS = ("jpg", "jpeg", "png", "gif", "bmp", "webp")
MOST_BYTES = 256 << 20
"""A larger file is not read at all."""


def image_schema(classes: tuple[str, ...], purpose: Purpose = "") -> Schema:
    """One image and its class; `purpose` as of `Label`."""
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
        self.name, self.schema = name, image_schema(classes, purpose)

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Raw rows of one split, or of everything at `uri`; the key is the path below it.

        Args:
            spark: The session.
            uri: The folder, or a Parquet table with the columns `image` and `label`.
            split: `train` or `eval`: what lies in folders of these names (or `test`, `val`), else a tenth of the files
                is held out, by a hash of their paths.

        Raises:
            BadInputError: if there is no such folder.
        """
        if not storage.exists(uri):
            raise BadInputError(f"No input at {uri!r}: the path does not exist. Give a folder of images that does.")
        if uri.endswith(".parquet"):
            return read_named(spark, uri, self.schema)
        folder = uri if storage.is_folder(uri) else uri.rpartition("/")[0]
        rows = image_files(spark, uri, urlsplit(folder).path.rstrip("/") + "/")
        return rows if split is None else rows.where(in_split(uri, F.col(self.schema.key), split))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """There is no stand-in for images of one's own.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its folder with --input.")

    def synthetic(self, uri: str) -> Synthetic | None:
        """Facts about generated data, None for real data."""
        return read_facts(uri)


def in_split(uri: str, key: Column, split: str) -> Column:
    """Whether a file is of a split: it lies in a folder of that name, or a hash of its path says so.

    Args:
        uri: The folder of all files.
        key: A file's path below it.
        split: `train` or `eval`.
    """
    if any(storage.exists(storage.join(uri, word)) for words in NAMES.values() for word in words):
        return F.lower(F.element_at(F.split(key, "/"), 1)).isin(*NAMES[split])
    return held_out(key) if split == "eval" else ~held_out(key)


def image_files(spark: SparkSession, uri: str, root: str) -> DataFrame:
    """Every image file at `uri`: its path below `root` (`path`), its bytes (`image`) and the folder it lies in
    (`label`), with what raw rows have besides.
    """
    glob = f"*.{{{','.join([*ENDINGS, *map(str.upper, ENDINGS)])}}}"
    files = spark.read.format("binaryFile").option("pathGlobFilter", glob).option("recursiveFileLookup", "true")
    found = files.load(uri)
    small, large = F.col("length") <= MOST_BYTES, F.col("length") > MOST_BYTES
    nothing = F.lit(None).cast("string")
    # Of two readings, because the bytes of a file are read unless nobody asks for them.
    read = found.where(small).select("path", "content", nothing.alias(FAULT))
    fault = F.concat(F.lit("the file has "), F.col("length").cast("string"), F.lit(f" bytes, more than {MOST_BYTES:,}"))
    refused = found.where(large).select("path", F.lit(None).cast("binary").alias("content"), fault.alias(FAULT))
    listed = read.unionByName(refused)
    if empty := _empty_files(uri):  # which Spark's reader leaves out
        rows = [(file, b"", None) for file in empty]
        listed = listed.unionByName(spark.createDataFrame(rows, listed.select("path", "content", FAULT).schema))
    path = F.col("path")
    key = F.substring(path, F.instr(path, root) + len(root), F.length(path))
    return listed.select(
        key.alias("path"),
        F.col("content").alias("image"),
        F.try_element_at(F.split(key, "/"), F.lit(-2)).alias("label"),
        path.alias(RAW),
        path.alias(SOURCE),
        F.col(FAULT),
    )


def _empty_files(uri: str) -> list[str]:
    entries = storage.list_files(uri, recursive=True) if storage.is_folder(uri) else []
    return [
        entry.uri
        for entry in entries
        if entry.size == 0 and entry.uri.lower().rpartition(".")[2] in ENDINGS and not hidden(entry.uri)
    ]
