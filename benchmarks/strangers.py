"""Tables that strangers have, through every step from infer-schema to score, held against what pandas reads.

    python -m benchmarks.strangers [FOLDER] [--quick]

Every file of FOLDER is a table, and so is every folder in it; without FOLDER there is scikit-learn's iris alone. Of
each: `infer-schema --recipe`, then etl, one epoch, evaluate and score with what it printed. Counted as differences are:
another number of rows, a column with another sum, other distinct values or other gaps than pandas finds, and rows that
were rejected or not scored.
`--quick` ends with etl.

The last line is JSON: `tables`, `differences` and `refused`.
"""

import math
import runpy
import sys
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from benchmarks.ratios import print_json
from benchmarks.sizes import Size, sized_parser
from emberline.features.errors import BadInputError
from emberline.features.names import quoted
from emberline.features.schema import Schema
from emberline.features.validation.rows import check_rows, reason_of
from emberline.pipelines.etl import tracked_etl
from emberline.pipelines.evaluate import evaluate
from emberline.pipelines.infer_schema import infer
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.register import register
from emberline.pipelines.runtime.session import session
from emberline.pipelines.score import score
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.train import train

LABELS = ("label", "target", "y", "class", "click", "clicked", "species", "survived", "quality", "rating",
          "AdoptionSpeed", "mpg", "tip", "diameter narrowing")  # fmt: skip
"""Columns that are a label where a table has them; else it is its last one without gaps."""

NO_TABLES = (".md", ".html", ".pdf")


@dataclass
class Verdict:
    """What became of one table."""

    table: str
    rows: int = 0
    differences: list[str] = field(default_factory=list)
    refused: str = ""


def main() -> None:
    """Takes every table through, and prints what differs."""
    parser = sized_parser(__doc__, "end with etl")
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args()
    size: Size = given.size
    verdicts = []
    with tempfile.TemporaryDirectory() as scratch, session("strangers", "local[2]") as spark:
        folder = given.folder or _iris(Path(scratch) / "tables")
        for place in sorted(place for place in folder.iterdir() if place.suffix not in NO_TABLES):
            verdict = _judge(spark, place, Path(scratch) / place.name, quick=size is not Size.WHOLE)
            verdicts.append(verdict)
            said = verdict.refused or "; ".join(verdict.differences) or "no difference"
            print(f"{verdict.table:<28} {verdict.rows:>8,} rows  {said}", file=sys.stderr, flush=True)
    refused = {one.table: one.refused for one in verdicts if one.refused}
    differences = {one.table: one.differences for one in verdicts if one.differences}
    print_json("strangers", {}, size, tables=len(verdicts), differences=differences, refused=refused)


def _iris(folder: Path) -> Path:
    """The folder, with one table in it."""
    from sklearn.datasets import load_iris

    folder.mkdir()
    load_iris(as_frame=True).frame.to_csv(folder / "iris.csv", index=False)
    return folder


def _judge(spark: SparkSession, place: Path, scratch: Path, *, quick: bool) -> Verdict:
    scratch.mkdir()
    verdict = Verdict(place.name)
    try:
        table = _pandas(place)
        label = _label(table)
        code = scratch / "found.py"
        found = infer(spark, str(place), label, name=_plain(place.stem), output=str(code))
        schema, recipe = Schema.from_json(found.schema), _recipe(code)
        verdict.rows = found.rows
        _compare(spark, recipe, schema, place, table, verdict)
        _steps(spark, recipe, place, scratch, len(table), verdict, quick=quick)
    except BadInputError as error:
        verdict.refused = str(error)
    return verdict


def _steps(
    spark: SparkSession, recipe: Recipe, place: Path, scratch: Path, rows: int, verdict: Verdict, *, quick: bool
) -> None:
    tracker = Tracker(f"sqlite:///{scratch / 'mlflow.db'}")
    made = tracked_etl(spark, recipe, str(place), str(scratch / "dataset"), tracker)
    if (made.rows_read, made.rows_rejected) != (rows, 0):
        verdict.differences.append(f"etl reads {made.rows_read:,} of {rows:,} rows and rejects {made.rows_rejected:,}")
    if quick:
        return
    train(spark, recipe, made.dataset, str(scratch / "training"), tracker)
    evaluate(spark, recipe, str(scratch / "training"), tracker)
    kept = register(spark, recipe, str(scratch / "training"), tracker)
    model = f"models:/{kept.name}/{kept.version}"
    scored = score(spark, recipe, model, str(place), str(scratch / "predictions"), tracker)
    if scored.rows_scored != rows:
        verdict.differences.append(f"{scored.rows_scored:,} of {rows:,} rows are scored")


def _recipe(code: Path) -> Recipe:
    """What infer-schema printed, for one epoch in one process."""
    recipe: Recipe = runpy.run_path(str(code))["RECIPE"]
    return replace(recipe, training=replace(recipe.training, epochs=1, mode="local"))


def _compare(
    spark: SparkSession, recipe: Recipe, schema: Schema, place: Path, table: pd.DataFrame, verdict: Verdict
) -> None:
    """Counts, sums, distinct values and gaps of every column, with pandas'."""
    dataset: Any = recipe.dataset
    checked = check_rows(dataset.read(spark, str(place)), schema, labelled=True)
    good = checked.where(F.col(reason_of(checked.columns)).isNull())
    measures = [F.count(F.lit(1))]
    compared = [one for one in schema.fields if not one.array and not one.is_file]
    for one in compared:
        column = F.col(quoted(one.name))
        value = F.count_distinct(column) if one.kind == "string" else F.sum(column.cast("double"))
        measures += [F.count(column), value]
    rows, *found = list(good.agg(*measures).first() or ())
    if rows != len(table):
        verdict.differences.append(f"{rows:,} good rows, pandas has {len(table):,}")
    for one, held, value in zip(compared, found[0::2], found[1::2], strict=True):
        theirs = table[one.name].dropna()
        if not pd.api.types.is_numeric_dtype(theirs):
            theirs = theirs.astype(str).str.strip(" ")
            theirs = theirs[~theirs.isin(("", *one.missing))]
        wanted = theirs.nunique() if one.kind == "string" else float(pd.to_numeric(theirs).astype(float).sum())
        same = value == wanted or (value is None and not wanted) or math.isclose(value or 0, wanted, rel_tol=1e-9)
        if held != len(theirs):
            verdict.differences.append(f"{one.name}: {held:,} values, pandas has {len(theirs):,}")
        if not same:
            verdict.differences.append(f"{one.name}: {value!r}, pandas has {wanted!r}")


def _pandas(place: Path) -> pd.DataFrame:
    """What pandas reads, as texts; of a folder all its files together."""
    files = (
        [place]
        if place.is_file()
        else sorted(
            path
            for path in place.rglob("*")
            if path.is_file()
            and not any(part.startswith(("_", ".")) for part in path.relative_to(place).parts)
            and path.suffix not in NO_TABLES
        )
    )
    return pd.concat([_file(path) for path in files], ignore_index=True)


def _file(path: Path) -> pd.DataFrame:
    if path.suffix in (".parquet", ".pq"):
        return pd.read_parquet(path)
    if path.suffix == ".orc":
        return pd.read_orc(path)
    if path.suffix in (".json", ".jsonl", ".ndjson"):
        with path.open() as file:
            return pd.read_json(path, lines=file.read(1) != "[", dtype=False)
    if path.suffix in (".tfrecord", ".tfrecords"):
        return _examples(path)
    read = [
        pd.read_csv(path, sep=sep, dtype=str, keep_default_na=True, na_values=[])
        for sep in (",", ";", "\t", "|")
        if _fits(path, sep)
    ]
    table = max(read, key=lambda table: table.shape[1])
    # Orange's files have two lines of kinds and roles below the header, which pandas takes for rows.
    kinds = table.head(1).isin(["continuous", "discrete"]).any(axis=None)
    return table.iloc[2:] if kinds and set(table.iloc[1].dropna()) == {"class"} else table


def _fits(path: Path, sep: str) -> bool:
    try:
        pd.read_csv(path, sep=sep, dtype=str, nrows=200)
    except (pd.errors.ParserError, UnicodeDecodeError):
        return False
    return True


def _examples(path: Path) -> pd.DataFrame:
    import tensorflow as tf

    rows = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        features = tf.train.Example.FromString(record).features.feature
        row = {}
        for name, feature in features.items():
            values = list(getattr(feature, str(feature.WhichOneof("kind"))).value)
            row[name] = (values[0].decode() if isinstance(values[0], bytes) else values[0]) if values else None
        rows.append(row)
    return pd.DataFrame(rows)


def _label(table: pd.DataFrame) -> str:
    whole = [name for name in table.columns if table[name].notna().all() and table[name].nunique() > 1]
    named = [name for name in whole if name in LABELS]
    if not whole:
        raise BadInputError("Every column of the table has gaps: none can be its label.")
    return str(named[0] if named else whole[-1])


def _plain(stem: str) -> str:
    return "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in stem)


if __name__ == "__main__":
    main()
