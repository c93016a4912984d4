"""What may stand in an argument: every one of them is logged, so none may hold a password."""

import argparse
import os

import pytest

from emberline.pipelines.runtime.arguments import add_overrides, add_tracking, location, tracking_uri

SECRET = "hunter2"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--input", f"s3://key:{SECRET}@bucket/raw"],
        ["--tracking-uri", f"https://me:{SECRET}@mlflow:5000"],
        ["--set", f"model.words=https://me:{SECRET}@host/words.txt"],
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
    for text in ("s3://bucket/a@b:c", "s3://user@bucket/x", "hdfs://host:9000/a@b", "models:/emberline-x@champion"):
        assert location(text) == text
    assert tracking_uri("http://mlflow:5000") == "http://mlflow:5000"


def test_a_login_in_the_environments_uri_goes_where_mlflow_looks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("USERNAME", "PASSWORD"):
        monkeypatch.delenv(f"MLFLOW_TRACKING_{name}", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:hunter%402@mlflow:5000/base")
    assert tracking_uri(None) == "https://mlflow:5000/base" == os.environ["MLFLOW_TRACKING_URI"]
    assert os.environ["MLFLOW_TRACKING_USERNAME"] == "me"
    assert os.environ["MLFLOW_TRACKING_PASSWORD"] == "hunter@2"
