"""Where `s3:` leads, and how long a busy server is asked; what a real one does is in tests/real/test_s3.py."""

import pytest

from emberline.features import s3, storage
from emberline.features.errors import BadInputError


def test_variables_and_uris_say_which_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in s3.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9/")
    assert s3.open_s3("bucket").region == "us-east-1"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert s3.open_s3("bucket").region == "eu-west-1"
    assert s3.open_s3("bucket", "region=eu-north-1").region == "eu-north-1"
    assert s3.open_s3("bucket") != s3.open_s3("bucket", "endpoint_override=127.0.0.1:8&scheme=http")


def test_an_unknown_option_is_said() -> None:
    with pytest.raises(BadInputError, match="The option 'regoin' of s3://bucket is unknown"):
        storage.exists("s3://bucket/x?regoin=eu-west-1")


def test_a_busy_server_is_asked_again_and_others_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(s3.time, "sleep", pauses.append)
    answers = iter(["AWS Error SLOW_DOWN during PutObject", "HTTP status 503", ""])

    def ask() -> str:
        if said := next(answers):
            raise OSError(said)
        return "done"

    assert s3.patiently(ask) == "done"
    assert pauses == [0.25, 0.5]
    with pytest.raises(OSError, match="ACCESS_DENIED"):
        s3.patiently(lambda: (_ for _ in ()).throw(OSError("AWS Error ACCESS_DENIED during PutObject")))
    assert len(pauses) == 2
    with pytest.raises(OSError, match="SLOW_DOWN"):
        s3.patiently(lambda: (_ for _ in ()).throw(OSError("AWS Error SLOW_DOWN during PutObject")))
    assert len(pauses) == 2 + len(s3.PAUSES)
