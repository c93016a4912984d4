"""S3 and servers like it, through pyarrow, with the variables of Amazon's own tools.

`AWS_ENDPOINT_URL` (or `AWS_ENDPOINT_URL_S3`) names another server than Amazon's, `AWS_REGION` (or `AWS_DEFAULT_REGION`)
the region; credentials are looked for in `AWS_ACCESS_KEY_ID` and the other places of Amazon's library. A URI may say
more behind `?`: `region`, `endpoint_override`, `scheme`.
"""

import os
import re
import time
import urllib.parse
from collections.abc import Callable
from typing import TypeVar

import pyarrow as pa
import pyarrow.fs as pafs

from emberline.features.errors import BadInputError

Result = TypeVar("Result")

VARIABLES = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
)
"""What a process needs to open `s3:` as this one does."""

OPTIONS = ("region", "scheme", "endpoint_override", "allow_bucket_creation", "allow_bucket_deletion")
ATTEMPTS = 9
"""Of a request: pauses double from 25 ms, so a server that says 503 or SlowDown is asked for 13 seconds."""
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before whole files are read or written again where pyarrow does not repeat a request by itself."""
_BUSY = re.compile(
    r"AWS Error (SLOW_DOWN|SERVICE_UNAVAILABLE|THROTTLING|REQUEST_TIMEOUT)|HTTP status 50\d|"
    r"Failed to flush response stream"  # the answer 503 was longer than the few bytes that were asked for
)
COPY_BYTES = 5 << 30
"""Of one object, that the server copies in one request."""
ELSEWHERE = "us-east-1"
"""Region for servers that are not Amazon's: they take any, and signatures need one."""


def endpoint() -> str | None:
    """Returns the URL of a server that is not Amazon's."""
    return os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or None


def region() -> str | None:
    """Returns the region that the environment names; for other servers than Amazon's always one."""
    named = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return named or (ELSEWHERE if endpoint() else None)


def open_s3(bucket: str, options: str = "") -> pafs.S3FileSystem:
    """Returns the file system that has a bucket.

    Args:
        bucket: Its name.
        options: What stands behind `?` in the URI.

    Raises:
        BadInputError: for an option that is none.
    """
    given = dict(urllib.parse.parse_qsl(options))
    if unknown := given.keys() - set(OPTIONS):
        known = ", ".join(OPTIONS)
        raise BadInputError(f"The option {min(unknown)!r} of s3://{bucket} is unknown. Known are {known}.")
    server = given.get("endpoint_override") or endpoint() or ""
    scheme, colon, host = server.partition("://")
    where = given.get("region") or region() or (None if server else _region_of(bucket))
    return pafs.S3FileSystem(
        region=where or (ELSEWHERE if server else None),
        scheme=given.get("scheme") or (scheme if colon else "https"),
        endpoint_override=(host if colon else server).rstrip("/") or None,
        # A small file is one request then, and a process that dies leaves no parts of it that somebody pays for.
        allow_delayed_open=True,
        allow_bucket_creation=given.get("allow_bucket_creation") == "true",
        allow_bucket_deletion=given.get("allow_bucket_deletion") == "true",
        retry_strategy=pafs.AwsDefaultS3RetryStrategy(max_attempts=ATTEMPTS),
    )


def patiently(action: Callable[[], Result]) -> Result:
    """Returns what an action on a whole file returns, begun again a few times while the server is too busy.

    Raises:
        OSError: for any other failure, and for a server that stays busy.
    """
    for pause in PAUSES:
        try:
            return action()
        except OSError as error:
            if not _BUSY.search(str(error)):
                raise
        time.sleep(pause)
    return action()


def _region_of(bucket: str) -> str | None:
    try:
        return pafs.resolve_s3_region(bucket)
    except (OSError, pa.ArrowInvalid):  # no such bucket, or no way to Amazon: the first request says it better
        return None
