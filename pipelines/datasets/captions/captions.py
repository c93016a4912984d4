"""Sentences about images, of which a network sees what another network said of each: the layout of MSCOCO's captions.

Official files: `captions_train2014.json` and `captions_val2014.json`, with `images` (`id`, `file_name`) and
`annotations` (`id`, `image_id`, `caption`). Beside them, in `vectors/`, the Parquet files that `emberline score` wrote
for the images: `embedding`, and `path`, which ends with the name of an image's file. Source: cocodataset.org.
"""

import io
import json
import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features import storage
from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.features.validation.rows import FAULT, RAW, SOURCE
from emberline.pipelines.datasets.readers.raw_table import file_name, read_named, require_input
from emberline.pipelines.datasets.splits import named_split
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts
from emberline.pipelines.datasets.text.sentence_pairs import TOKENS

LISTED = re.compile(r"captions_([a-z]+)\w*\.json")
VECTORS = "vectors"
SHAPE = (
    "images array<struct<id: bigint, file_name: string>>, "
    "annotations array<struct<id: bigint, image_id: bigint, caption: string>>"
)


def captions_schema(width: int) -> Schema:
    """Returns the vector of an image, of `width` numbers, and a sentence about it."""
    return Schema(
        fields=(
            Field("embedding", "float", required=True, shape=(width,)),
            Field("caption", "string", tokens=TOKENS),
        ),
        label=Label("words", purpose="translation", writes="caption"),
        key="row",
    )


class Captions:
    """Reads MSCOCO's files and the vectors beside them, or a Parquet table with the schema's columns.

    Args:
        name: Of the data set: that of its module.
        width: Numbers of a vector.
    """

    def __init__(self, name: str, width: int) -> None:
        self.name = name
        self.schema = captions_schema(width)

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`, a row per sentence.

        Args:
            spark: The session.
            uri: The folder.
            split: `train` or `eval`, by the names of the files.

        Raises:
            BadInputError: if the path does not exist, there are no such files, or no vectors.
        """
        found = {file: LISTED.fullmatch(file_name(file)) for file in require_input(uri)}
        files = {file: named_split(match[1]) for file, match in found.items() if match}
        if not files and any(file.endswith(".parquet") for file in found):
            return read_named(spark, uri, self.schema)
        chosen = [file for file, its in files.items() if split in (None, its)]
        vectors = storage.join(uri, VECTORS)
        if not chosen or not any(file.startswith(vectors) and file.endswith(".parquet") for file in found):
            raise BadInputError(
                f"{uri!r} holds {sorted(map(file_name, files)) or 'no captions'}; expected captions_train….json and "
                f"captions_val….json, and in {VECTORS}/ what emberline score wrote for the images."
            )
        listed = spark.read.json(chosen, SHAPE, multiLine=True, mode="FAILFAST")
        return parse(listed.withColumn(SOURCE, F.col("_metadata.file_name")), spark.read.parquet(vectors))

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Refuses, since there are no synthetic rows for your own images.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its folder with --input.")

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)


def parse(listed: DataFrame, vectors: DataFrame) -> DataFrame:
    """Returns a row per sentence; one whose image has no vector is rejected.

    Args:
        listed: `images` and `annotations` of a file, and `_source`.
        vectors: `path` and `embedding`.
    """
    images = listed.select(SOURCE, F.explode("images").alias("image")).select(SOURCE, "image.id", "image.file_name")
    said = listed.select(SOURCE, F.explode("annotations").alias("said")).select(
        SOURCE, F.col("said.image_id").alias("id"), F.col("said.id").alias("number"), "said.caption"
    )
    seen = vectors.select(F.element_at(F.split("path", "/"), -1).alias("file_name"), "embedding")
    rows = said.join(images, [SOURCE, "id"], "left").join(seen.dropDuplicates(["file_name"]), "file_name", "left")
    caption = F.trim("caption")
    return rows.select(
        "embedding",
        caption.alias("caption"),
        F.size(F.split(caption, r"\s+")).cast("string").alias("words"),
        F.concat_ws("#", "file_name", F.col("number").cast("string")).alias("row"),
        F.to_json(F.struct("number", "id", "caption")).alias(RAW),
        SOURCE,
        F.when(F.col("file_name").isNull(), F.lit("its image is not in the list"))
        .when(F.col("embedding").isNull(), F.lit("no vector of its image"))
        .alias(FAULT),
    )


def write_list(directory: str, split: str, captions: Mapping[str, Sequence[str]]) -> None:
    """Writes `captions_SPLIT.json`.

    Args:
        directory: Where.
        split: `train` or `val`.
        captions: Sentences by the name of the image's file.
    """
    images = [{"id": number, "file_name": name} for number, name in enumerate(captions)]
    said = [(number, caption) for number, listed in enumerate(captions.values()) for caption in listed]
    annotations = [{"id": id, "image_id": image, "caption": caption} for id, (image, caption) in enumerate(said)]
    text = json.dumps({"images": images, "annotations": annotations})
    storage.write_bytes_atomic(storage.join(directory, f"captions_{split}.json"), text.encode())


def write_vectors(directory: str, paths: Sequence[str], vectors: NDArray[np.float32]) -> None:
    """Writes `vectors/part-0.parquet`, as a scoring job does.

    Args:
        directory: Where.
        paths: Of the images.
        vectors: `[images, width]`.
    """
    flat = pa.array(vectors.ravel(), pa.float32())
    lists = pa.FixedSizeListArray.from_arrays(flat, vectors.shape[1]).cast(pa.list_(pa.float32()))
    sink = io.BytesIO()
    pq.write_table(pa.table({"path": list(paths), "embedding": lists}), sink)
    storage.write_bytes_atomic(storage.join(directory, VECTORS, "part-0.parquet"), sink.getvalue())
