"""One machine without Spark in `benchmarks.end_to_end`: Polars, Parquet, tf.data, `keras.Model.fit`, batches."""

import json
import sys
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.end_to_end_keras import COUNTS, IDS, WORDS, chunks, fit, matrix, register
from benchmarks.ratios import seconds

SCHEMA = {"label": pl.Int32} | dict.fromkeys(COUNTS, pl.Float64) | dict.fromkeys(WORDS, pl.String)
SHARES = [part / 20 for part in range(1, 20)]


def main(told: dict[str, Any]) -> None:
    """Takes all steps, and says on the last line how long each took and where the predictions are."""
    work = told["work"]
    mlflow.set_tracking_uri(f"sqlite:///{work}/mlflow.db")
    kept: dict[str, Any] = {}
    took = {
        "prepare": seconds(lambda: kept.update(sizes=prepare(told["raw"], work))),
        "train": seconds(lambda: kept.update(model=fit(kept["sizes"], f"{work}/prepared", told))),
        "register": seconds(lambda: kept.update(uri=register(kept["model"], f"{work}/prepared"))),
        "score": seconds(lambda: score(kept["uri"], work)),
    }
    print(json.dumps({"seconds": took, "predictions": f"{work}/predictions"}))


def rows_of(raw: str, day: int) -> pl.LazyFrame:
    """The rows of a day, none of them with a gap."""
    rows = pl.scan_csv(f"{raw}/day_{day}", separator="\t", has_header=False, schema=SCHEMA, quote_char=None)
    return rows.with_columns(pl.col(COUNTS).fill_null(0.0), pl.col(WORDS).fill_null(""))


def prepare(raw: str, work: str) -> list[int]:
    """Writes ids of both days as Parquet; numbers of ids."""
    first = rows_of(raw, 0)
    asked = [pl.col(name).quantile(share).alias(f"{name} {share}") for name in COUNTS for share in SHARES]
    counted = [first.group_by(name).len().sort("len", descending=True) for name in WORDS]
    quantiles, *tables = pl.collect_all([first.select(asked), *counted], engine="streaming")
    cuts = {name: sorted({quantiles[f"{name} {share}"][0] for share in SHARES}) for name in COUNTS}
    words = {name: table[name].to_list() for name, table in zip(WORDS, tables, strict=True)}
    ids = [
        # Not by `cut`, whose categories have numbers of their own, from all columns together.
        *(pl.sum_horizontal([(pl.col(name) >= cut).cast(pl.Int32) for cut in cuts[name]]) for name in COUNTS),
        *(
            pl.col(name)
            .cast(pl.Enum(words[name]), strict=False)
            .to_physical()
            .cast(pl.Int32)
            .fill_null(len(words[name]))
            for name in WORDS
        ),
    ]
    for day in (0, 1):
        folder = Path(work) / "prepared" / f"day_{day}"
        folder.mkdir(parents=True)
        named = [column.alias(name) for column, name in zip(ids, IDS, strict=True)]
        rows_of(raw, day).select("label", *named).sink_parquet(folder / "part.parquet", engine="streaming")
    return [len(cuts[name]) + 1 for name in COUNTS] + [len(words[name]) + 1 for name in WORDS]


def score(uri: str, work: str) -> None:
    """Predictions of both days."""
    model = mlflow.tensorflow.load_model(uri)
    schema = pa.schema([("label", pa.int32()), ("score", pa.float32())])
    for day in (0, 1):
        folder = Path(work) / "predictions" / f"day_{day}"
        folder.mkdir(parents=True)
        with pq.ParquetWriter(folder / "part.parquet", schema) as writer:
            for rows in chunks(f"{work}/prepared/day_{day}"):
                score = model.predict_on_batch(matrix(rows))[:, 0]
                writer.write_batch(pa.record_batch([rows.column("label"), pa.array(score)], schema=schema))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
