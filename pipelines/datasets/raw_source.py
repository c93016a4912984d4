"""Raw files, listed once: what reads them and what is recorded of them go by the same list."""

import hashlib
import json
from dataclasses import dataclass

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame

from emberline.features import storage
from emberline.pipelines.datasets.readers.raw_table import all_files, data_files
from emberline.pipelines.runtime.table_address import TableAddress


@dataclass(frozen=True)
class RawSource:
    """What lay at a URI when it was listed; made by `at`.

    Args:
        uri: Of a folder or a file.
        files: All files below it, hidden and empty ones too.
        digest: Tells raw data apart without reading it: SHA-256 over the location and the names and sizes of the files
            of a folder.
    """

    uri: str
    files: tuple[storage.FileEntry, ...]
    digest: str

    @classmethod
    def at(cls, uri: str) -> "RawSource":
        """Lists the files at `uri`; an empty list is no error, because Spark may know how to read it.

        Of a table it is the address, with the version, that tells it apart.
        """
        files = [] if TableAddress.parse(uri) else all_files(uri)
        below = [file for file in files if file.uri != uri]
        listed = sorted((file.uri.removeprefix(uri), file.size) for file in below)
        return cls(uri, tuple(files), hashlib.sha256(json.dumps([uri, listed]).encode()).hexdigest())

    def data_files(self) -> list[storage.FileEntry]:
        """Returns the files that Spark would read.

        Raises:
            BadInputError: if nothing was there, or everything there was empty.
        """
        return data_files(self.uri, self.files)


def folders_read(rows: DataFrame) -> dict[str, str | None]:
    """Returns the URIs of the folders that a DataFrame reads, by what messages call them."""
    try:
        files = rows.inputFiles()
    except PySparkException:  # not of a stream, nor of every source
        return {}
    return {f"the rows' {folder}": folder for folder in {file.rpartition("/")[0] for file in files}}
