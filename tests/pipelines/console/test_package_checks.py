"""What `doctor` says about the packages of an environment."""

import pytest

from emberline.pipelines.console import package_checks


@pytest.mark.parametrize(
    ("installed", "good", "found"),
    [
        ({"setuptools": "84.0.0"}, True, "not installed; only training.launcher=tensorflowonspark needs it"),
        ({"tensorflowonspark": "2.2.5", "setuptools": "80.9.0"}, True, "2.2.5, with setuptools 80.9.0"),
        ({"tensorflowonspark": "2.2.5", "setuptools": "84.0.0"}, False, "2.2.5, with setuptools 84.0.0"),
    ],
)
def test_setuptools_matters_where_tensorflowonspark_is(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], good: bool, found: str
) -> None:
    monkeypatch.setattr(package_checks, "_version", installed.get)
    checks = {item.name: item for item in package_checks.package_checks()}
    assert "setuptools" not in checks
    assert (checks["tensorflowonspark"].good, checks["tensorflowonspark"].found) == (good, found)
