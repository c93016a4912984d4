"""What padding costs, with batches as they come and of rows similarly long: `python -m benchmarks.padding [DATA]`.

The training loop of the recurrent spam filter (an LSTM of 64 units over vectors of 200 numbers), one process, one core,
over the lengths of the messages at DATA (the folder of the spam corpus), or synthetic ones: log-normal, 16 words in the
median. The two kinds of batches alternate; reported are the share of padded places, words per second, and
the share of an epoch's time for which steps waited for their batch. The ratios are those of padding, plain over sorted,
and of words per second, sorted over plain.
"""

import statistics
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.ratios import one_core, print_json
from benchmarks.sizes import Size, sized_parser
from emberline.features.columns import describe, stored
from emberline.features.dataset_version import DatasetVersion
from emberline.features.tfrecord.layouts import write_shard
from emberline.features.tfrecord.manifest import ShardSet
from emberline.pipelines.datasets.text.antispam import FILES, SCHEMA
from emberline.pipelines.preparation.shard_writer import at_ranks
from emberline.pipelines.recipe import Recipe
from emberline.pipelines.recipes import load_recipe

ROWS, QUICK_ROWS, WORDS = 15_000, 4_000, 5_000


def lengths_at(data: str | None, rows: int) -> np.ndarray:
    """Words of each message."""
    draw = np.random.default_rng(1)
    if data is None:
        return np.clip(np.round(np.exp(draw.normal(np.log(16), 0.8, rows))), 1, 400).astype(int)
    texts = [line for name in FILES.values() for line in Path(data, name).read_text().split("\n")]
    found = np.array([len(text.split()) for text in texts if text.strip()])
    return draw.permutation(found)[:rows]


def write(folder: str, lengths: np.ndarray, recipe: Recipe) -> DatasetVersion:
    """Synthetic words in rows of these lengths."""
    draw = np.random.default_rng(2)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    words = pa.ListArray.from_arrays(pa.array(offsets), pa.array(draw.integers(0, WORDS, int(offsets[-1]))))
    label = pa.array(draw.integers(0, 2, len(lengths)).astype(np.float32))
    table = pa.RecordBatch.from_arrays([words, label], ["message", SCHEMA.label.name])
    splits = {}
    for split, part in (("train", table), ("eval", table.slice(0, 100))):
        shard = write_shard(f"{folder}/{split}/part-0", [part], schema=table.schema, rows_per_block=500)
        counted = {"message": at_ranks(Counter(part.column("message").value_lengths().to_pylist()))}
        splits[split] = ShardSet(table.schema, "block", None, 500, (shard,), counted).to_json()
    features = {
        "schema": SCHEMA.to_json(),
        "columns": [describe(column) for column in stored(recipe.model.columns)],
        "cardinalities": {"message": WORDS},
        "statistics": {"rows": len(lengths), "classes": [], "fields": {}},
    }
    return DatasetVersion(folder, {"splits": splits}, features)


def epoch_of(recipe: Recipe, version: DatasetVersion, words: int) -> dict[str, float]:
    """Metrics of the second of two epochs: the first traces."""
    import tensorflow as tf

    from emberline.pipelines.training.loop import Loop

    events: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as output:
        Loop(recipe, version, output, tf.distribute.get_strategy(), 0, events.append).run()
    found: dict[str, float] = [event for event in events if event["event"] == "epoch"][-1]["metrics"]
    rows = version.split("train").rows
    return found | {"words_per_second": found["examples_per_second"] * words / rows}


def main() -> None:
    """Print the table and one JSON line."""
    parser = sized_parser(__doc__, f"{QUICK_ROWS} rows instead of {ROWS}, one turn")
    parser.add_argument("data", nargs="?", help="folder with msgpass.log.seg and msgspam.log.seg")
    given = parser.parse_args()
    size: Size = given.size
    rows, turns = size.of((ROWS, 3), (QUICK_ROWS, 1), (400, 1))
    recipe = load_recipe("antispam_rnn")
    settings = {"epochs": 2, "workers": 1, "tensorboard": False, "checkpoint_every": "9 epochs", "bucket_by": ""}
    training = replace(recipe.training, **settings)
    kinds = {"as they come": training, "similarly long": replace(training, bucket_by="message")}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in kinds}
    lengths = lengths_at(given.data, rows)
    with one_core(), tempfile.TemporaryDirectory() as folder:
        version = write(folder, lengths, recipe)
        for _ in range(turns):
            for name, kind in kinds.items():
                found[name].append(epoch_of(replace(recipe, training=kind), version, int(lengths.sum())))
    print(f"{'batches of rows':20}{'padding':>10}{'words/s':>12}{'input wait':>12}")
    for name, runs in found.items():
        middle = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
        print(f"{name:20}{middle['padding']:10.3f}{middle['words_per_second']:12,.0f}{middle['input_wait']:12.3f}")
    plain, by_length = found.values()
    ratios = {
        "padding_plain_vs_sorted": [a["padding"] / b["padding"] for a, b in zip(plain, by_length, strict=True)],
        "words_per_second_sorted_vs_plain": [
            b["words_per_second"] / a["words_per_second"] for a, b in zip(plain, by_length, strict=True)
        ],
    }
    print_json("padding", ratios, size, runs=found)


if __name__ == "__main__":
    sys.exit(main())
