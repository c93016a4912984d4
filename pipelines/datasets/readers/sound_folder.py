"""Folders of WAV files, whose classes are the folders that they are in, `yes/0001.wav`, or by their names.

A data set of your own is a module in this folder with one line: `DATASET = SoundFolder("knocks", ("one", "two"))`.
Where names tell more, `Names` says what, and by which part of a name files are held out.
"""

from dataclasses import dataclass

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.datasets.readers.file_folder import file_rows, folder_of_split, require_files, root_of
from emberline.pipelines.datasets.readers.raw_table import read_named
from emberline.pipelines.datasets.splits import held_out
from emberline.pipelines.datasets.synthetic import Synthetic, read_facts

ENDINGS = ("wav", "wave")


@dataclass(frozen=True)
class Names:
    """What the names of files tell.

    Args:
        pattern: Regular expression with a group for each part; what does not match has no label.
        parts: What the groups are. `label` is the class; the others are fields of their own.
        by: Part that says which files are held out, where no folders do; empty for the whole path.
        held_out: Its values of held-out files; empty for a tenth of its values, by their hash.
    """

    pattern: str
    parts: tuple[str, ...]
    by: str = ""
    held_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.by and self.by not in self.parts:
            raise BadInputError(f"Files are held out by {self.by!r}, which is none of the parts {self.parts}.")


class SoundFolder:
    """Reads files through Spark's `binaryFile`, so that executors list and open them.

    Args:
        name: Of the data set: that of its module.
        classes: By class id, the name of the folder, or what the part `label` of a name says.
        names: What the names of files tell; None for nothing.
        label: Name of the label.
    """

    def __init__(self, name: str, classes: tuple[str, ...], names: Names | None = None, label: str = "label") -> None:
        self.name = name
        self.names = names
        told = tuple(part for part in (names.parts if names else ()) if part != "label")
        self.schema = Schema(
            fields=(Field("sound", "sound", required=True), *(Field(part, "string") for part in told)),
            label=Label(label, classes=tuple((word,) for word in classes)),
            key="path",
        )

    def read(self, spark: SparkSession, uri: str, split: str | None = None) -> DataFrame:
        """Returns raw rows of one split, or of everything at `uri`; the key is the path below it.

        Args:
            spark: The session.
            uri: The folder, or a Parquet table with columns of the schema's names.
            split: `train` or `eval`: what lies in folders of these names (or `test`, `val`), else as `Names` says, else
                a tenth of the files is held out, by a hash of their paths.

        Raises:
            BadInputError: if there is no such folder.
        """
        require_files(uri, "WAV files")
        if uri.endswith(".parquet"):
            return read_named(spark, uri, self.schema)
        rows = self._named(file_rows(spark, uri, root_of(uri), "sound", ENDINGS))
        if split is None:
            return rows
        in_folder = folder_of_split(uri, F.col(self.schema.key), split)
        if in_folder is not None:
            return rows.where(in_folder)
        aside = self._held_out()
        return rows.where(aside if split == "eval" else ~aside)

    def _named(self, rows: DataFrame) -> DataFrame:
        if self.names is None:
            return rows.withColumnRenamed("folder", self.schema.label.name)
        told = "label" in self.names.parts
        rows = rows.drop("folder") if told else rows.withColumnRenamed("folder", self.schema.label.name)
        name = F.element_at(F.split("path", "/"), -1)
        for number, part in enumerate(self.names.parts, start=1):
            said = F.regexp_extract(name, self.names.pattern, number)
            rows = rows.withColumn(self.schema.label.name if part == "label" else part, F.when(said != "", said))
        return rows

    def _held_out(self) -> Column:
        path = F.col(self.schema.key)
        if self.names is None or not self.names.by:
            return held_out(path)
        # A file whose name tells nothing is on one side nevertheless, where it is rejected or not for its label.
        part = F.coalesce(F.col(self.schema.label.name if self.names.by == "label" else self.names.by), path)
        return part.isin(*self.names.held_out) if self.names.held_out else held_out(part)

    def generate(self, directory: str, *, seed: int) -> Synthetic:
        """Refuses, since there are no synthetic rows for your own sounds.

        Raises:
            BadInputError: always.
        """
        raise BadInputError(f"The data set {self.name!r} has no synthetic stand-in: give its folder with --input.")

    def synthetic(self, uri: str) -> Synthetic | None:
        """Returns facts about generated data, None for real data."""
        return read_facts(uri)
