"""Secrets in URIs: seen whatever form they have, so that none is logged. Imports nothing heavy."""

import re

_LOGIN = re.compile(
    # No scheme is long: without a bound, a long word would be searched once from each of its letters.
    # Up to the last @ before the query, or the last of all: keys of storage hold slashes, and passwords anything.
    # "host:8020/" is a port and no password, but stores of objects have no ports.
    r"(?P<scheme>(?P<store>(?:s3[an]?|gc?s|abfss?|wasbs?)(?=:))|[A-Za-z][\w+.-]{0,30})://(?P<username>[^/?#@:\s]*):"
    r"(?(store)|(?!\d{1,5}(?:[/?#]|$)))(?P<password>[^?#\s]{1,4096}|\S{1,4096})@",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"(?P<scheme>(?:git\+)?https?)://(?P<username>[^/?#@\s]+)@", re.IGNORECASE)
_PARAMETER = re.compile(
    r"[?&;#](?P<name>(?:[\w.%-]{0,100}[-_.])?(?:sig|sas|pwd|pass|auth|authorization|jwt|key|[a-z]*token)"
    r"|[\w.%-]{0,100}(?:signature|secret|passw(?:or)?d|passphrase|credential"
    r"|(?:api|access|account|shared_?access|private)[-_.]?key)[\w.-]{0,100})=(?P<value>[^&;#\s]+)",
    re.IGNORECASE,
)
HIDDEN = "***"

ADVICE = (
    "a URI with a password, key or token in it was given, and arguments are logged to MLflow; put credentials into the "
    "environment (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD)"
)


def holds_secret(text: str) -> bool:
    """Returns whether a text has a URI with a password, a token, or a signature in it."""
    return any(pattern.search(text) for pattern in (_LOGIN, _TOKEN, _PARAMETER))


def without_secrets(text: str) -> str:
    """Returns the text with every secret in its URIs struck out."""
    text = _LOGIN.sub(lambda found: f"{found['scheme']}://{found['username']}:{HIDDEN}@", text)
    text = _TOKEN.sub(lambda found: f"{found['scheme']}://{HIDDEN}@", text)
    return _PARAMETER.sub(lambda found: found[0].removesuffix(found["value"]) + HIDDEN, text)


def login_of(uri: str) -> tuple[str, str, str] | None:
    """Returns name and password of a URI, as they are written there, and the URI without them; None if it has none."""
    found = _LOGIN.match(uri)
    return (found["username"], found["password"], f"{found['scheme']}://{uri[found.end() :]}") if found else None
