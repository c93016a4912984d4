"""Recipes: found by name, changed by --set, and every wrong key answered with the nearest right one."""

import functools
import json
from dataclasses import replace
from typing import Any

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import Optimizer, flatten
from emberline.pipelines.recipe.code import code_name
from emberline.pipelines.recipe.training import OPTIMIZERS
from emberline.pipelines.recipes import load_recipe, recipe_names

FAMILIES = {"audio", "series", "strokes", "tabular", "text", "vision"}


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_is_called_like_its_module_and_is_plain_data(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.source
    assert json.loads(json.dumps(recipe.to_json()))["family"] in FAMILIES


def test_overrides_take_the_fields_type() -> None:
    recipe = load_recipe(
        "census_wide_deep",
        {
            "training.epochs": "3",
            "training.optimizers.1.learning_rate": "1",
            "model.hidden_units": "64,32",
            "model.dropout": "0",
            "preparation.codec": "gzip",
        },
    )
    assert recipe.training.epochs == 3
    assert recipe.training.optimizers[1].learning_rate == 1.0
    assert recipe.model.hidden_units == (64, 32)  # type: ignore[attr-defined]
    assert recipe.model.dropout == 0.0  # type: ignore[attr-defined]
    assert recipe.preparation.codec == "gzip"
    assert load_recipe("census_wide_deep", {"model.hidden_units": "64"}).model.hidden_units == (64,)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training.epoch", "3", "Unknown key 'epoch'.*Did you mean 'epochs'"),
        ("trainig.epochs", "3", "Unknown key 'trainig'.*Did you mean 'training'"),
        ("training.epochs", "many", "expected a value like 15"),
        ("training.epochs", "2.5", "expected a value like 15"),
        ("training.epochs", "0", "must be at least 1, got 0"),
        ("training.mode", "asynk", "training.mode=asynk: .*Did you mean 'async'"),
        ("training.launcher", "yarn", "training.launcher=yarn: Known: barrier, tensorflowonspark"),
        ("training.gpus_per_worker", "-1", "must be 0 or more, got -1"),
        ("training.workers", "3", "global_batch=256 does not divide by training.workers=3. Nearest that does: 255"),
        ("training.optimizers.0.schedule.kind", "cosine", "ftrl with the schedule 'cosine': its weights shrink"),
        ("training.optimizers.7.learning_rate", "1", "index from 0 to 1"),
        ("training", "1", "is a group. Set one of its fields"),
        ("model.wide", "age", "Unknown columns 'age'"),
        ("expectations", "x", "is a group. Set one of its fields"),
        ("name.x", "1", "nothing below"),
    ],
)
def test_a_wrong_override_is_explained(key: str, value: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        load_recipe("census_wide_deep", {key: value})


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(BadInputError, match=r"Unknown recipe 'census_wide_depe'. Did you mean 'census_wide_deep'"):
        load_recipe("census_wide_depe")


def test_flatten_gives_dotted_keys() -> None:
    assert flatten({"a": {"b": [1, 2]}, "c": [{"d": 1}, {"d": 2}]}) == {"a.b": [1, 2], "c.0.d": 1, "c.1.d": 2}


def test_optimizers_are_those_of_keras() -> None:
    import keras

    known = {
        name.lower()
        for name, item in vars(keras.optimizers).items()
        if isinstance(item, type) and issubclass(item, keras.optimizers.Optimizer)
    }
    assert known - set(OPTIMIZERS) == {"optimizer", "lossscaleoptimizer", "multioptimizer"}
    assert set(OPTIMIZERS) <= known


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("adamm", {}, r"Unknown optimizer 'adamm'\. Did you mean 'adam"),
        (3, {}, "is the name of a Keras optimizer or a function of the learning rate that makes one, got 3"),
        ("sgd", {"clipnorm": 1.0}, "'sgd': clipnorm in `settings` .* Use training.clip_norm instead"),
        ("sgd", {"use_ema": True}, "Use training.average_decay instead"),
    ],
)
def test_a_wrong_optimizer_is_refused_where_it_is_declared(kind: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        Optimizer(kind, 0.1, settings=settings)


def test_an_argument_that_its_kind_does_not_take_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"Optimizer 'adagrad' takes no momentum; these do: sgd, rmsprop"):
        Optimizer("adagrad", 0.1, momentum=0.9)
    with pytest.raises(BadInputError, match=r"--set training.optimizers.0.kind=adamm: Unknown optimizer"):
        load_recipe("iris_dnn", {"training.optimizers.0.kind": "adamm"})


def test_kinds_are_the_same_in_any_case() -> None:
    assert Optimizer("Adam", 0.1) == Optimizer("adam", 0.1)


def test_what_a_recipe_is_given_as_code_is_named_by_what_it_does() -> None:
    def made(rate: float) -> Any:
        def factory(learning_rate: float) -> float:
            return learning_rate * rate

        return factory

    once, again, other = made(1.0), made(1.0), made(2.0)
    assert code_name(once) == code_name(again)
    assert code_name(once) != code_name(other), "what it has captured is part of it"
    assert code_name(functools.partial(once, 1)) != code_name(functools.partial(once, 2))
    recipe = load_recipe("iris_dnn")
    training = replace(recipe.training, optimizers=(Optimizer(once, 0.1),))
    told = replace(recipe, training=training).to_json()["training"]["optimizers"][0]["kind"]
    assert told == code_name(once)
    assert told.startswith(f"{__name__}:test_what_a_recipe") or ":test_what_a_recipe" in told
