"""Recipes: found by name, changed by --set, and every wrong key answered with the nearest right one."""

import json

import pytest

from emberline.features.errors import BadInputError
from emberline.pipelines.recipe import flatten
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
        ("model.wide", "age", "columns are not set from the command line"),
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
