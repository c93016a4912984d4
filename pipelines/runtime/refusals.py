"""What a store said when it refused, found below the traces of whatever library was writing or reading there."""

import re
from collections.abc import Iterator

_REFUSALS: tuple[tuple[str, bool, str], ...] = (
    # Its mark, whether a person must act before a second try can help, and what to do.
    (r"AccessControlException", True, "Have the rights given, or choose another place."),
    (r"AWS Error ACCESS_DENIED|AccessDeniedException", True, "Have the rights given, or choose another place."),
    (r"AWS Error INVALID_ACCESS_KEY_ID|AWS Error SIGNATURE_DOES_NOT_MATCH|InvalidAccessKeyId|SignatureDoesNotMatch",
     True, "Correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."),
    (r"AWS Error NO_SUCH_BUCKET|NoSuchBucket|UnknownStoreException", True, "Make the bucket, or correct its name."),
    (r"AWS Error EXPIRED_TOKEN|ExpiredToken", False, "Get new credentials, and run it again."),
    (r"ClassNotFoundException(?=: Class org\.apache\.hadoop\.fs\.s3a)", True,
     "Spark has no S3 of its own here: submit with --packages org.apache.hadoop:hadoop-aws:VERSION, the version of the "
     "hadoop-client jars beside Spark's (docs/stores.md)."),
    (r"SafeModeException", False, "Nothing is written before the name node leaves safe mode; run it again then."),
    (r"[DN]SQuotaExceededException", False, "Remove something there, or have the quota raised, and run it again."),
)  # fmt: skip


def refusal_of(error: BaseException) -> tuple[bool, str] | None:
    """Returns whether a person must act first, and what the store said with what to do; None for other failures.

    Args:
        error: The exception that ended a job; those that it came from are looked at too.
    """
    for seen in _chain(error):
        if isinstance(seen, PermissionError):
            return True, str(seen)
        try:
            text = str(seen)
        except Exception:  # py4j asks Java for the words of its errors
            continue
        for mark, needs_a_person, advice in _REFUSALS:
            # The mark alone is searched for: a message may be a row of millions of letters in one line.
            if match := re.search(rf"(?:{mark})\)?(?:: ?(?P<said>[^\n]+))?", text):
                line = text[text.rfind("\n", 0, match.start()) + 1 :].partition("\n")[0]
                return needs_a_person, f"{(match['said'] or line).strip().rstrip('.')}. {advice}"
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
