"""What stores say, found in the errors of all libraries between."""

import errno
import json

import pytest

from emberline.features.storage import StorageError
from emberline.pipelines.runtime.outcome import conclude
from emberline.pipelines.runtime.refusals import refusal_of

DENIED = "When uploading object with key 'x' in bucket 'b': AWS Error ACCESS_DENIED during PutObject operation: Denied."
NO_BUCKET = "AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation: none"
HADOOP = "org.apache.hadoop"


def java(said: str) -> RuntimeError:
    """An error of Spark's with what caused it."""
    first = "An error occurred while calling o1.x.\n: org.apache.spark.SparkException: aborted.\n\tat a.b(C.java:1)"
    return RuntimeError(f"{first}\nCaused by: {said}\n\tat d.e(F.java:2)")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 2, "[Errno 13] Permission denied: '/x'"),
        (
            java(f"{HADOOP}.security.AccessControlException: Permission denied: user=bob"),
            2, "Permission denied: user=bob. Have the rights given, or choose another place.",
        ),
        (OSError(DENIED), 2, f"{DENIED} Have the rights given, or choose another place."),
        (OSError(NO_BUCKET), 2, f"{NO_BUCKET}. Make the bucket, or correct its name."),
        (
            java(f"java.lang.ClassNotFoundException: Class {HADOOP}.fs.s3a.S3AFileSystem not found"),
            2, "Class org.apache.hadoop.fs.s3a.S3AFileSystem not found. Spark has no S3 of its own here",
        ),
        (
            java(f"{HADOOP}.hdfs.protocol.DSQuotaExceededException: The quota of /q is exceeded: quota = 1"),
            1, "The quota of /q is exceeded: quota = 1. Remove something there",
        ),
        (
            java(f"{HADOOP}.ipc.RemoteException({HADOOP}.hdfs.server.namenode.SafeModeException): No file/x. Name "
                 "node is in safe mode.\nIt was turned on manually."),
            1, "No file/x. Name node is in safe mode. Nothing is written before",
        ),
        (StorageError("Nothing here serves nosuch://."), 2, "Nothing here serves nosuch://."),
    ],
)  # fmt: skip
def test_one_sentence_and_the_code(error: Exception, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error

    assert conclude("etl", work) == code
    reason = json.loads(capsys.readouterr().out.splitlines()[-1])["reason"]
    assert reason.startswith(said)
    assert "\n" not in reason


def test_what_lies_below_an_error_counts() -> None:
    error = RuntimeError("the claim could not be written")
    error.__cause__ = PermissionError(errno.EACCES, "no", "/x")
    assert refusal_of(error) == (True, "[Errno 13] no: '/x'")


def test_what_was_said_better_is_not_looked_below() -> None:
    error = OSError(errno.EROFS, "Name node is in safe mode", "/x")
    error.__context__ = java(f"{HADOOP}.hdfs.server.namenode.SafeModeException: Name node is in safe mode")
    error.__suppress_context__ = True
    assert refusal_of(error) is None


def test_other_failures_are_none() -> None:
    assert refusal_of(OSError("[Errno 111] Connection refused")) is None
    assert refusal_of(ValueError("AccessControl is a word")) is None


def test_a_message_of_millions_of_letters_is_read_once() -> None:
    """Of one line: it would otherwise be read from each of its letters on, which takes hours."""
    assert refusal_of(OSError("x" * 3_000_000)) is None
    assert refusal_of(OSError("AWS Error " * 300_000)) is None
