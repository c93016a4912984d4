"""What may stand in an argument: every one of them is logged, so none may hold a password."""

import argparse
import os

import pytest

from emberline.pipelines.runtime.arguments import add_overrides, add_tracking, location, tracking_uri
from emberline.pipelines.runtime.secrets_in_uris import without_secrets

SECRET = "hunter2"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input", f"s3://key:{SECRET}@bucket/raw"],
        ["--tracking-uri", f"https://me:{SECRET}@mlflow:5000"],
        ["--set", f"model.words=https://me:{SECRET}@host/words.txt"],
        ["--input", f"s3://KEY:ab/{SECRET}@bucket/raw"],
        ["--input", f"abfs://:a/{SECRET}==@account/raw"],
        ["--input", f"https://{SECRET}@host/raw"],
        ["--input", f"abfs://container@account/raw?sv=2024&sig={SECRET}%3D"],
        ["--input", f"https://host/raw?X-Amz-Credential=a&X-Amz-Signature={SECRET}"],
        ["--input", f"s3://bucket/raw?secret_key={SECRET}"],
        ["--input", f"s3://bucket/raw?region=x&access_key={SECRET}"],
        ["--input", f"https://host/raw#access_token={SECRET}"],
        ["--input", f"https://host/raw?token={SECRET}"],
        ["--input", f"s3://KEY:123/{SECRET}@bucket/raw"],
        ["--input", f"https://host/raw?key={SECRET}"],
        ["--input", f"https://host/raw?auth={SECRET}&x=1"],
        ["--tracking-uri", f"postgresql://u:p/{SECRET}@host/db"],
        ["--tracking-uri", f"postgresql://u:p?{SECRET}@host/db"],
        ["--tracking-uri", f"postgresql://u:p#{SECRET}@host/db"],
        ["--tracking-uri", f"mysql+pymysql://u:{SECRET}@host:3306/db"],
        ["--tracking-uri", f"postgresql://host/db?password={SECRET}"],
    ],
)
def test_a_password_is_refused_and_not_repeated(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser(prog="etl")
    parser.add_argument("--input", type=location)
    add_tracking(parser)
    add_overrides(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(arguments)
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert "put credentials into the environment" in said.err
    assert SECRET not in said.err + said.out


def test_what_only_looks_like_one_is_taken() -> None:
    for text in ("s3://bucket/a@b:c", "s3://user@bucket/x", "hdfs://host:9000/a@b", "models:/emberline-x@champion",
                 "hdfs://host:9000/a:b@c/d", "abfs://container@account/x?design=1&tokenizer=bpe", "file:///a:b@c/d",
                 "s3://bucket/a?region=eu-west-1&endpoint_override=host:9000", "http://host:9000?to=a@b",
                 "s3://bucket/a?monkey=1&keys=2&author=3"):  # fmt: skip
        assert location(text) == text
    assert tracking_uri("http://mlflow:5000") == "http://mlflow:5000"


def test_a_login_in_the_environments_uri_goes_where_mlflow_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter%402@mlflow:5000/base")
    assert tracking_uri(None) == "https://mlflow:5000/base" == os.environ["MLFLOW_TRACKING_URI"]
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "hunter@2"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        (f"postgresql://u:p/{SECRET}@host/db", "postgresql://u:***@host/db"),
        (f"postgresql://host/db?user=u&password={SECRET}&x=1", "postgresql://host/db?user=u&password=***&x=1"),
        (
            f"mlflow at https://{SECRET}@host/x, twice: s3://k:{SECRET}@b",
            "mlflow at https://***@host/x, twice: s3://k:***@b",
        ),
        ("sqlite:///a/b@c.db", "sqlite:///a/b@c.db"),
        (f"https://{SECRET}:x-oauth-basic@host/x", "https://***@host/x"),
        (f"postgresql://u:p?{SECRET}@host/db", "postgresql://u:***@host/db"),
    ],
)
def test_what_is_printed_has_no_secrets(uri: str, said: str) -> None:
    assert without_secrets(uri) == said


def test_a_databases_login_stays_for_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"postgresql://u:p/{SECRET}@host/db")
    assert tracking_uri(None) == os.environ["MLFLOW_TRACKING_URI"]
