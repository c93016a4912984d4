"""A registered model for other servers: its SavedModel, TensorFlow Serving's folder, TensorFlow Lite."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from emberline.features import storage
from emberline.features.dataset_version import DatasetVersion, open_version
from emberline.features.errors import BadInputError
from emberline.features.schema import Schema
from emberline.features.tensors import stored_tensor
from emberline.features.tfrecord.layouts import read_shard
from emberline.pipelines.runtime.output_folder import EXPORT, new_folder, require_apart, require_replaceable
from emberline.pipelines.runtime.progress import Progress
from emberline.pipelines.saved_model.named_inputs import input_spec
from emberline.pipelines.serving.tflite import (
    FORMS,
    REPRESENTATIVE_ROWS,
    Columns,
    Converted,
    convert,
    measure,
    measure_saved_model,
    single_rows,
)
from emberline.pipelines.serving.warm_up import write_warm_up
from emberline.pipelines.tasks import task_of
from emberline.pipelines.tracking import Tracker

EVALUATED_ROWS = 10_000
"""So many held-out rows say what a converted model is worth."""


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Args:
        output: URI of the folder, with `saved_model`, `tf_serving` and, given a dataset version, `tflite` in it.
        model: Registered model.
        version: Its version.
        saved_model_bytes: Size of the SavedModel.
        metrics: Of the SavedModel on held-out rows.
        tflite: The same for every form of TensorFlow Lite, with its size.
    """

    output: str
    model: str
    version: int
    saved_model_bytes: int
    metrics: dict[str, float]
    tflite: tuple[Converted, ...]


def export_model(
    model: str, output: str, tracker: Tracker, *, dataset: str | None = None, overwrite: bool = False
) -> ExportResult:
    """Writes a model in the forms that other servers take.

    Args:
        model: `models:/NAME@alias`, `models:/NAME/VERSION` or `runs:/ID/model`.
        output: URI of a folder.
        tracker: The registry.
        dataset: URI of a dataset version: its training rows calibrate int8, its held-out rows judge all forms.
            Without it there is no TensorFlow Lite.
        overwrite: Replace a folder that is there.

    Raises:
        BadInputError: if there is no such model or dataset version, they do not belong together, or the folder is
            there.
    """
    require_apart(output, {"--dataset": dataset})
    require_replaceable(output, EXPORT, overwrite)
    progress = Progress("export")
    version = tracker.find(model)
    number, name = version.version or 1, version.name.rpartition("/")[2]
    with tempfile.TemporaryDirectory() as scratch:
        saved_model = Path(tracker.fetch(version, str(Path(scratch) / "fetched")))
        folder = Path(scratch) / "export"
        shutil.copytree(saved_model, folder / "saved_model")
        served = folder / "tf_serving" / name / str(number)
        shutil.copytree(saved_model, served)
        features = json.loads((saved_model / "features.json").read_text())
        write_warm_up(served, name, _served(Schema.from_json(features["schema"]), saved_model))
        size = sum(file.stat().st_size for file in saved_model.rglob("*") if file.is_file())
        progress.say(f"SavedModel of {size:,} bytes; TensorFlow Serving: version {number} of {name}, with warm-up")
        metrics, forms = (
            _tflite(saved_model, open_version(dataset), folder / "tflite", progress) if dataset else ({}, ())
        )
        result = ExportResult(output, version.name, version.version, size, metrics, forms)
        (folder / "export.json").write_text(json.dumps(asdict(result), indent=2))
        with new_folder(output, EXPORT, overwrite=overwrite, reads={"--dataset": dataset}) as made:
            storage.copy_folder(str(folder), made.staging)
            made.publish()
    return result


def _served(schema: Schema, saved_model: Path) -> Schema:
    """The fields that the model's signature asks for."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(saved_model))
    return schema.subset(set(input_spec(loaded.signatures["serving_default"])))


def _tflite(
    model: Path, version: DatasetVersion, target: Path, progress: Progress
) -> tuple[dict[str, float], tuple[Converted, ...]]:
    """Metrics of the SavedModel, and its TensorFlow Lite forms with theirs."""
    target.mkdir(parents=True)
    representative = single_rows(_batches(model, version, "train", REPRESENTATIVE_ROWS), REPRESENTATIVE_ROWS)
    failed = convert(model, representative, target)
    rows, task = list(_batches(model, version, "eval", EVALUATED_ROWS)), task_of(version.schema)
    metrics = measure_saved_model(model, rows, task)
    found = []
    for form in FORMS:
        if form in failed:
            found.append(Converted(form, 0, failed=failed[form]))
            progress.say(f"warning: no TensorFlow Lite in {form}: {failed[form]}")
            continue
        one = measure(target / f"{form}.tflite", form, model, rows, task)
        found.append(one)
        told = ", ".join(f"{name} {value:.4f} ({value - metrics[name]:+.4f})" for name, value in one.metrics.items())
        progress.say(f"TensorFlow Lite, {form}: {one.bytes:,} bytes, {told}")
    return metrics, tuple(found)


def _batches(model: Path, version: DatasetVersion, split: str, most: int) -> Iterator[tuple[Columns, np.ndarray]]:
    """Stored columns that the model takes, and labels, of the first rows of a split.

    Raises:
        BadInputError: if the dataset version was made for another model.
    """
    import tensorflow as tf

    loaded = tf.saved_model.load(str(model))
    wanted = input_spec(loaded.signatures["serve_transformed"])
    shards, seen = version.split(split), 0
    for shard in shards.shards:
        for rows in read_shard(storage.join(version.uri, split), shards, shard):
            if absent := [name for name in wanted if name not in rows.schema.names]:
                raise BadInputError(
                    f"The dataset version {version.uri!r} has no column {absent[0]!r}, which the model takes. Give the "
                    "one that it was trained on."
                )
            rows = rows.slice(0, most - seen)
            columns = {
                name: stored_tensor(rows.column(name), tuple(item.shape[1:])).numpy() for name, item in wanted.items()
            }
            labels = [rows.column(name).to_numpy(zero_copy_only=False) for name in version.labels]
            yield (
                columns,
                np.stack(labels, axis=1).astype(np.float32) if len(labels) > 1 else labels[0].astype(np.float32),
            )
            seen += rows.num_rows
            if seen >= most:
                return
