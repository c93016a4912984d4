"""A trained model in the forms that other servers take: read back as they would."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from emberline.features import storage
from emberline.features.dataset_version import EXAMPLES, open_version
from emberline.features.errors import BadInputError
from emberline.pipelines.recipes import load_recipe
from emberline.pipelines.serving.export import ExportResult, export_model
from emberline.pipelines.tracking import Tracker
from emberline.pipelines.training.export import export
from emberline.pipelines.training.loop import Loop


@dataclass(frozen=True)
class Written:
    """The exported model, and what it was exported from."""

    result: ExportResult
    folder: Path
    tracker: Tracker
    dataset: str


@pytest.fixture(scope="module")
def written(flowers: str, tmp_path_factory: pytest.TempPathFactory) -> Written:
    home = tmp_path_factory.mktemp("serving")
    recipe, version = load_recipe("iris_dnn", {"training.epochs": "2", "training.workers": "1"}), open_version(flowers)
    loop = Loop(recipe, version, str(home / "training"), tf.distribute.get_strategy(), 0, lambda event: None)
    export(recipe, version, loop.run(), str(home / "model"))
    tracker = Tracker(f"sqlite:///{home}/mlflow.db")
    examples = storage.local_path(storage.join(flowers, EXAMPLES))
    for _ in range(2):
        with tracker.step("iris_dnn", "train") as run:
            found = tracker.register(run.id, "emberline-iris", str(home / "model"), version.schema, {}, examples)
    uri = f"models:/emberline-iris/{found.version}"
    return Written(export_model(uri, str(home / "out"), tracker, dataset=flowers), home / "out", tracker, flowers)


def test_every_form_of_tensorflow_lite_is_worth_what_the_model_is(written: Written) -> None:
    result = written.result
    assert result.metrics["eval_accuracy"] > 0.9
    assert [one.form for one in result.tflite] == ["float", "dynamic_range", "int8"]
    for one in result.tflite:
        assert not one.failed
        assert one.bytes == (written.folder / "tflite" / f"{one.form}.tflite").stat().st_size
        assert one.metrics["eval_accuracy"] > result.metrics["eval_accuracy"] - 0.05
    plain, dynamic, full = result.tflite
    assert plain.largest_difference < 1e-5 < full.largest_difference < 1
    assert dynamic.largest_difference < 0.1
    kinds = {item["dtype"] for item in tensors(written.folder / "tflite" / "int8.tflite")}
    assert np.int8 in kinds
    assert np.int8 not in {item["dtype"] for item in tensors(written.folder / "tflite" / "float.tflite")}
    assert json.loads((written.folder / "export.json").read_text())["version"] == 2


def tensors(file: Path) -> list[dict[str, object]]:
    interpreter = tf.lite.Interpreter(model_path=str(file))
    interpreter.allocate_tensors()
    return interpreter.get_tensor_details()


def test_the_folder_of_tensorflow_serving(written: Written) -> None:
    """Its messages, declared anew here, read the warm-up file; its requests run."""
    served = written.folder / "tf_serving" / "emberline-iris" / "2"
    model = tf.saved_model.load(str(served))
    log = prediction_log()
    records = tf.data.TFRecordDataset(str(served / "assets.extra" / "tf_serving_warmup_requests"))
    requests = [log.FromString(record.numpy()).predict_log.request for record in records]
    assert [(one.model_spec.name, one.model_spec.signature_name) for one in requests] == [
        ("emberline-iris", "serving_default"),
        ("emberline-iris", "serve_examples"),
    ]
    for request in requests:
        inputs = {name: tf.constant(tf.make_ndarray(proto(value))) for name, value in request.inputs.items()}
        scored = model.signatures[request.model_spec.signature_name](**inputs)
        assert scored["probabilities"].shape == (1, 3)


def proto(serialized: bytes) -> tf.compat.v1.summary.Summary:
    from tensorflow.core.framework import tensor_pb2

    return tensor_pb2.TensorProto.FromString(serialized)


def prediction_log() -> type:
    """`tensorflow.serving.PredictionLog`, as far as it is used; tensors stay bytes."""
    file = descriptor_pb2.FileDescriptorProto(name="log.proto", package="t", syntax="proto3")
    text, message = descriptor_pb2.FieldDescriptorProto.TYPE_STRING, descriptor_pb2.FieldDescriptorProto.TYPE_MESSAGE
    raw = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES

    def declare(name: str, fields: list[tuple[str, int, int, str]], inside: object = file) -> object:
        made = inside.message_type.add(name=name) if inside is file else inside.nested_type.add(name=name)
        for field, number, kind, of in fields:
            made.field.add(name=field, number=number, type=kind, type_name=of or None, label=1)
        return made

    declare("ModelSpec", [("name", 1, text, ""), ("signature_name", 3, text, "")])
    request = declare("PredictRequest", [("model_spec", 1, message, ".t.ModelSpec")])
    request.field.add(name="inputs", number=2, type=message, type_name=".t.PredictRequest.InputsEntry", label=3)
    entry = declare("InputsEntry", [("key", 1, text, ""), ("value", 2, raw, "")], request)
    entry.options.map_entry = True
    declare("PredictLog", [("request", 1, message, ".t.PredictRequest")])
    declare("PredictionLog", [("predict_log", 6, message, ".t.PredictLog")])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.PredictionLog"))


def test_what_is_refused(written: Written, registered, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"already exists\. Pass --overwrite"):
        export_model("models:/emberline-iris/1", str(written.folder), written.tracker)
    with pytest.raises(BadInputError, match=r"has no column '.*', which the model takes"):
        export_model(registered.uri, str(tmp_path / "out"), registered.tracker, dataset=written.dataset)
    assert not (tmp_path / "out").exists()
    without = export_model("models:/emberline-iris/1", str(tmp_path / "out"), written.tracker)
    assert without.tflite == ()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["export.json", "saved_model", "tf_serving"]
