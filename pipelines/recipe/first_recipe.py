"""A recipe to begin with for a table that nobody has modelled yet, as Python code that runs as it is."""

import json
import textwrap
from collections.abc import Mapping

from emberline.features.errors import BadInputError
from emberline.features.schema import Field, Schema
from emberline.features.validation.schema_declaration import declaration

FEW_VALUES = 50
"""A text with at most so many values is one-hot; one with more has an embedding."""

SHARE_OF_ROWS = 0.5
"""A text with more different values than this share of the rows tells rows apart, and says nothing about others."""

LARGE, LARGE_BATCH, SMALL_BATCH = 10_000, 256, 32


def first_recipe(
    schema: Schema, name: str, rows: int, distinct: Mapping[str, int], form: str, options: Mapping[str, str]
) -> str:
    """Returns the schema, a data set, and a recipe of a feed-forward network, as one module.

    Args:
        schema: Of the table.
        name: Of the recipe and the data set.
        rows: How many the table has.
        distinct: How many different values its fields of texts have, at least about.
        form: Format of the table, where somebody said it.
        options: How its CSV files are written, as far as somebody said it.

    Raises:
        BadInputError: if no field can be a column.
    """
    chosen, left = [], []
    for field in schema.fields:
        code, reason = _column(field, rows, distinct.get(field.name, 0))
        if code:
            chosen.append(code)
        else:
            left.append(f"{field.name}: {reason}")
    if not chosen:
        raise BadInputError(f"No field of the table can be a column of a first recipe: {'; '.join(left)}.")
    said = "".join(
        f", {key}={value}" for key, value in (("format", form and _text(form)), ("options", options)) if value
    )
    outputs = f"        outputs={len(schema.label.classes)},\n" if len(schema.label.classes) > 2 else ""
    columns = textwrap.indent("".join(f"{code},\n" for code in chosen), " " * 12)
    words = [
        word for word in ("Embedding", "Indicator", "Numeric", "Vocabulary") if any(word in code for code in chosen)
    ]
    head, _, body = declaration(schema).partition("\n\n")
    imports = [
        f"from emberline.features.columns import {', '.join(words)}",
        head,
        "from emberline.models.tabular import dnn",
        "from emberline.pipelines.datasets.readers.named_table import NamedTable",
        "from emberline.pipelines.recipe import Gate, Optimizer, Recipe, Training",
    ]
    unused = "".join(f"# No column, {reason}.\n" for reason in left)
    return (
        f'"""A first recipe, guessed from {rows:,} rows: read it over, then `emberline run MODULE:RECIPE`."""\n\n'
        + "\n".join(imports)
        + f"\n\n{body}\nDATASET = NamedTable({_text(name)}, SCHEMA{said})\n\n{unused}RECIPE = Recipe(\n"
        f'    name={_text(name)},\n    source="our own",\n    dataset=DATASET,\n    model=dnn.Config(\n'
        f"        deep=(\n{columns}        ),\n        hidden_units=(64, 32),\n{outputs}    ),\n"
        f'    training=Training(\n        optimizers=(Optimizer("adam", 0.001),),\n        epochs=5,\n'
        f"        global_batch={LARGE_BATCH if rows >= LARGE else SMALL_BATCH},\n    ),\n{_gate(schema)})\n"
    )


def _column(field: Field, rows: int, distinct: int) -> tuple[str, str]:
    """The code of a column, or why there is none."""
    name = _text(field.name)
    if field.is_file:
        return "", f"a network for {field.kind}s reads it"
    if field.kind != "string":
        if field.minimum is None or field.minimum == field.maximum:
            return "", "it has one value or none"
        if field.many:
            return "", "it holds any number of numbers"
        shape = f", shape={field.shape}" if field.shape else ""
        return f'Numeric({name}, normalizer="zscore"{shape})', ""
    many = ", many=True" if field.many else ""
    if field.many:
        return f"Embedding(Vocabulary({name}{many}), 8)", ""
    count = len(field.allowed) or distinct
    if count < 2:
        return "", "it has one value or none"
    if not field.allowed and count > SHARE_OF_ROWS * rows:
        return "", "most rows have a value of their own"
    if count <= FEW_VALUES:
        return f"Indicator(Vocabulary({name}))", ""
    return f"Embedding(Vocabulary({name}, unseen_buckets=1), 8)", ""


def _gate(schema: Schema) -> str:
    metric = {"binary": "auc", "multiclass": "accuracy"}.get(schema.label.task, "rmse")
    # The worst that may become champion: a person knows better.
    limit = {"auc": 0.5, "accuracy": 0.0}.get(metric, 1e300)
    return f"    gate=Gate({_text(metric)}, limit={limit!r}),\n"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
