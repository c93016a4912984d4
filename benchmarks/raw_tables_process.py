"""The etl of one table by whichever checkout is on the path, for `benchmarks.raw_tables`: seconds on the last line."""

import importlib
import sys
import time
import types
from pathlib import Path


def module(name: str) -> types.ModuleType:
    """A module of this build, or of one from before its rooms had a common name."""
    moved = {
        "runtime.session": "session",
        "datasets.readers.named_table": "datasets.named_table",
        "preparation.checked_data": "data_check",
    }
    # By the checkout that is the present folder: emberline may be installed beside an older one.
    if Path("emberline").is_dir():
        return importlib.import_module(f"emberline.{name}")
    for new, old in moved.items():
        name = name.replace(new, old)
    return importlib.import_module(name)


def quoted_recipe() -> object:
    """A recipe for the quoted CSV, whose data set is registered under a name."""
    schema, columns, recipes = module("features.schema"), module("features.columns"), module("pipelines.recipe")
    fields = (schema.Field("name", "string"), schema.Field("x", "float"), schema.Field("y", "integer"))
    label = schema.Label("label", (("no",), ("yes",)))
    table = module("pipelines.datasets.readers.named_table").NamedTable("quoted", schema.Schema(fields, label, "id"))
    checked = module("pipelines.preparation.checked_data")
    checked.load_dataset = lambda name: table
    dnn = module("models.tabular.dnn")
    deep = (columns.Indicator(columns.Vocabulary("name")), columns.Numeric("x"), columns.Numeric("y"))
    training = recipes.Training(optimizers=(recipes.Optimizer("adam", 0.01),), epochs=1, global_batch=32, mode="local")
    return recipes.Recipe(
        name="quoted", source="ours", dataset="quoted", model=dnn.Config(deep=deep), training=training
    )


def load_recipe(name: str) -> object:
    """A recipe by its name."""
    room = module("pipelines.recipes")
    return (room if hasattr(room, "load_recipe") else module("pipelines.recipe")).load_recipe(name)


def main(name: str, source: str, output: str) -> None:
    """Runs it once, after a session is there."""
    recipe = quoted_recipe() if name == "quoted" else load_recipe(name)
    with module("pipelines.runtime.session").session("etl", "local[2]") as spark:
        spark.range(10).count()
        start = time.perf_counter()
        module("pipelines.etl").etl(spark, recipe, source, output)
        print(time.perf_counter() - start)


if __name__ == "__main__":
    main(*sys.argv[1:])
