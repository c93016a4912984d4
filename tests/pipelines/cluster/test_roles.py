"""Who takes part in each mode, and what TensorFlow is told about it."""

import json

import pytest

from emberline.pipelines.cluster.roles import Gang, tf_config
from emberline.pipelines.recipe import Training
from emberline.pipelines.recipes import load_recipe


def training(**overrides: str) -> Training:
    return load_recipe("iris_dnn", {f"training.{name}": value for name, value in overrides.items()}).training


@pytest.mark.parametrize(
    ("overrides", "roles", "words"),
    [
        ({"mode": "sync", "workers": "3"}, ("chief", "worker", "worker"), "one per worker"),
        ({"mode": "sync", "workers": "1"}, ("chief",), "one per worker"),
        ({"mode": "local", "workers": "3"}, ("chief",), "1 chief"),
        (
            {"mode": "async", "workers": "2", "parameter_servers": "2"},
            ("chief", "worker", "worker", "ps", "ps"),
            "1 chief + 2 workers + 2 parameter servers",
        ),
    ],
)
def test_roles_of_a_mode(overrides: dict[str, str], roles: tuple[str, ...], words: str) -> None:
    gang = Gang.of(training(**overrides))
    assert gang.roles == roles
    assert len(gang) == len(roles)
    assert str(gang) == words


def test_tensorflow_is_told_everybodys_address_and_ones_own_place() -> None:
    roles, addresses = ("chief", "worker", "worker", "ps"), ("a:1", "b:2", "c:3", "d:4")
    told = [json.loads(tf_config(roles, addresses, rank)) for rank in range(4)]
    assert all(one["cluster"] == {"chief": ["a:1"], "worker": ["b:2", "c:3"], "ps": ["d:4"]} for one in told)
    assert [(one["task"]["type"], one["task"]["index"]) for one in told] == [
        ("chief", 0),
        ("worker", 0),
        ("worker", 1),
        ("ps", 0),
    ]
