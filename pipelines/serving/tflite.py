"""TensorFlow Lite: the network of a model, in floats and quantized, with what each form costs and is worth.

Lookups of texts do not convert, so what converts is the signature `serve_transformed`: from stored columns, as the
transform graph makes them, to the numbers of a prediction.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from emberline.features.names import safe_names
from emberline.pipelines.saved_model.named_inputs import arguments, input_spec
from emberline.pipelines.tasks.task import Task

FORMS = ("float", "dynamic_range", "int8")
SIGNATURE = "serve_transformed"
REPRESENTATIVE_ROWS = 200

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Converted:
    """One form of a model.

    Args:
        form: One of `FORMS`: weights in float32; weights in int8 and arithmetic in float32; both in int8.
        bytes: Size of the file; 0 if it could not be made.
        metrics: On held-out rows.
        largest_difference: To the numbers of the SavedModel, over all rows and numbers of a prediction.
        failed: Why it could not be made.
    """

    form: str
    bytes: int
    metrics: dict[str, float] = field(default_factory=dict)
    largest_difference: float = 0.0
    failed: str = ""


def convert(model: Path, representative: Sequence[Columns], target: Path) -> dict[str, str]:
    """Writes `FORM.tflite` for every form.

    Args:
        model: A SavedModel.
        representative: Stored columns of single rows, which show the int8 form the range of every number.
        target: Local folder for the files.

    Returns:
        Why a form could not be made, by form.
    """
    failed = {}
    with tempfile.TemporaryDirectory() as scratch:
        network = _network_alone(model, Path(scratch))
        for form in FORMS:
            converter = tf.lite.TFLiteConverter.from_saved_model(str(network), signature_keys=[SIGNATURE])
            if form != "float":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if form == "int8":
                converter.representative_dataset = lambda: ((SIGNATURE, arguments(row)) for row in representative)
                # An operation without an int8 kernel stays in floats: better one of those than no file at all.
                converter.target_spec.supported_ops = [
                    tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
                    tf.lite.OpsSet.TFLITE_BUILTINS,
                ]
            try:
                (target / f"{form}.tflite").write_bytes(converter.convert())
            except Exception as error:  # the converter raises whatever its parts raise
                failed[form] = f"{type(error).__name__}: {str(error).splitlines()[0][:300]}"
    return failed


def _network_alone(model: Path, scratch: Path) -> Path:
    """The signature as a SavedModel of its own, without tables and without texts among its outputs."""
    loaded = tf.saved_model.load(str(model))
    call = loaded.signatures[SIGNATURE]
    given = input_spec(call)
    names = safe_names(given)
    spec = {name: tf.TensorSpec(item.shape, item.dtype, names[name]) for name, item in given.items()}

    @tf.function(input_signature=[spec])
    def numbers(columns: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {name: value for name, value in call(**arguments(columns)).items() if value.dtype != tf.string}

    module = tf.Module()
    module.weights = loaded.weights
    tf.saved_model.save(module, str(scratch / "network"), signatures={SIGNATURE: numbers.get_concrete_function()})
    return scratch / "network"


def measure(file: Path, form: str, model: Path, rows: Sequence[tuple[Columns, np.ndarray]], task: Task) -> Converted:
    """Measures a converted file: its size, and its predictions compared with those of the SavedModel.

    Args:
        file: What `convert` wrote.
        form: Its form.
        model: The SavedModel it was made of.
        rows: Batches of stored columns and labels.
        task: Judges predictions.
    """
    interpreter = tf.lite.Interpreter(model_path=str(file))
    return _judged(form, file.stat().st_size, interpreter.get_signature_runner(SIGNATURE), model, rows, task)


def _judged(
    form: str, size: int, runner: Any, model: Path, rows: Sequence[tuple[Columns, np.ndarray]], task: Task
) -> Converted:
    loaded = tf.saved_model.load(str(model))
    sums, difference = np.zeros(task.tally_length), 0.0
    for columns, label in rows:
        found = runner(**arguments(columns))
        expected = loaded.signatures[SIGNATURE](**_tensors(columns))
        for name, value in found.items():
            if value.dtype.kind == "f":
                difference = max(difference, float(np.abs(value - expected[name].numpy()).max(initial=0.0)))
        # What a task reads of a prediction are tensors; texts, which Lite leaves out, are none of it.
        sums = sums + task.tally({name: tf.constant(value) for name, value in found.items()}, label)
    return Converted(form, size, task.held_out(sums), difference)


def measure_saved_model(model: Path, rows: Sequence[tuple[Columns, np.ndarray]], task: Task) -> dict[str, float]:
    """Returns the same metrics of the SavedModel itself."""
    call = tf.saved_model.load(str(model)).signatures[SIGNATURE]
    sums = np.zeros(task.tally_length)
    for columns, label in rows:
        sums = sums + task.tally(call(**_tensors(columns)), label)
    return task.held_out(sums)


def _tensors(columns: Columns) -> dict[str, tf.Tensor]:
    return arguments({name: tf.constant(value) for name, value in columns.items()})


def single_rows(batches: Iterator[tuple[Columns, np.ndarray]], rows: int) -> list[Columns]:
    """Returns the first rows of batches, one by one."""
    found: list[Columns] = []
    for columns, label in batches:
        for index in range(min(len(label), rows - len(found))):
            found.append({name: value[index : index + 1] for name, value in columns.items()})
        if len(found) >= rows:
            break
    return found
