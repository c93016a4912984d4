"""Checks of stores: whether what a run does with files works where its folders are."""

import time
import uuid
from typing import TYPE_CHECKING

from emberline.features import storage
from emberline.pipelines.console.package_checks import Check

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TEXT = "written by emberline doctor"


def store_check(uri: str, spark: "SparkSession | None" = None) -> Check:
    """Returns whether a folder takes what runs do there: write, read, list, rename, replace and delete.

    Args:
        uri: The folder, which need not be there yet.
        spark: Session whose executors read the file too, through our readers and through Spark's own; None: no session.
    """
    place = storage.join(uri, f".doctor-{uuid.uuid4().hex[:8]}")
    step, begun = "be opened", time.monotonic()
    try:
        renames = storage.renames_folders(place)
        step = "write"
        file = storage.join(place, "a", "file")
        storage.write_text_atomic(file, "")
        storage.write_text_atomic(file, _TEXT)  # over the first one
        step = "read"
        if storage.read_text(file) != _TEXT:
            raise OSError("Other bytes came back.")
        step = "list"
        if [entry.size for entry in storage.list_files(place, recursive=True)] != [len(_TEXT)]:
            raise OSError("The new file is not listed.")
        if spark is not None:
            step = "be read by executors"
            _read_in_executors(spark, file)
        step = "rename"
        if renames:
            storage.move(storage.join(place, "a"), storage.join(place, "b"))
        else:
            storage.move(file, storage.join(place, "b", "file"))
        if storage.exists(file) or not storage.exists(storage.join(place, "b", "file")):
            raise OSError("The file has not moved.")
        step = "delete"
        storage.delete(place)
        if storage.exists(storage.join(place, "b", "file")):
            raise OSError("The file is still there.")
    except Exception as error:  # of any library that serves a scheme, and of Java
        said = (str(error).strip() or type(error).__name__).splitlines()[0][:400]
        return Check(f"store {uri}", False, f"cannot {step}: {said}", _advice(uri))
    finally:
        _remove(place)
    how = "folders are renamed in one step" if renames else "folders are copied, file by file"
    seconds = time.monotonic() - begun
    return Check(f"store {uri}", True, f"write, read, list, rename, delete in {seconds:.1f} s; {how}")


def _read_in_executors(spark: "SparkSession", file: str) -> None:
    (ours,) = spark.sparkContext.parallelize([file], 1).map(storage.read_text).collect()
    (theirs,) = (row.value for row in spark.read.text(file).collect())
    if (ours, theirs) != (_TEXT, _TEXT):
        raise OSError("Other bytes came back.")


def _remove(place: str) -> None:
    try:
        storage.delete(place)
    except Exception:  # what failed was said
        return


def _advice(uri: str) -> str:
    if uri.startswith(("s3:", "s3a:", "s3n:")):
        return (
            "Set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, for other servers than Amazon's "
            "AWS_ENDPOINT_URL, and have the rights to list, get, put and delete given."
        )
    if uri.startswith(("hdfs:", "viewfs:")):
        return "Set HADOOP_CONF_DIR to the folder of core-site.xml, and have the rights to write there given."
    return "Correct the URI, or have the rights to write there given."
