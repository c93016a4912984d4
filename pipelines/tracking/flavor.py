"""A SavedModel of raw columns as an MLflow model, without pickles and without emberline.

MLflow's own `tensorflow` flavour saves live Keras objects; ours already lies on disk with its transform graph
inside. It is logged under that flavour's name in its SavedModel form, so MLflow alone loads and serves it; a model of
images or sounds brings a page of code along (`emberline.pipelines.tracking.bytes_loader`). Imported by `tracking` only.
"""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import mlflow
import pyarrow.parquet as pq
from mlflow.models import Model, ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.models.utils import _save_example
from mlflow.types import ColSpec, DataType
from mlflow.types import Schema as MlflowSchema
from mlflow.types.schema import Array

from emberline.features.names import safe_names
from emberline.features.schema import Field, Schema
from emberline.pipelines.saved_model.digest import ModelChangedError
from emberline.pipelines.tasks import task_of

SAVED_MODEL = "saved_model"
CODE = "code"
BYTES_LOADER = "emberline_bytes_loader"
NO_LOADER = "none"
LOADER_TAG = "emberline.loader_digest"
"""Tag of a registered version."""
NAME = "model"
TYPES = {"integer": "long", "float": "double", "string": "string", "image": "binary", "sound": "binary"}
PREDICTION_TYPES: dict[str, DataType | Array] = {
    "float": DataType.float,
    "long": DataType.long,
    "string": DataType.string,
    "floats": Array(DataType.float),
}


def log(saved_model: str, schema: Schema, run_id: str, examples: str) -> ModelInfo:
    """Logs a SavedModel as the model of a run.

    Args:
        saved_model: Local folder.
        schema: Its raw input columns.
        run_id: The run.
        examples: Local Parquet file with a few raw rows.
    """
    inputs = MlflowSchema([ColSpec(_input_type(field), field.name) for field in schema.fields])
    columns = task_of(schema).columns
    outputs = MlflowSchema([ColSpec(PREDICTION_TYPES[column.type], column.name) for column in columns])
    return Model.log(
        artifact_path=None,
        name=NAME,
        flavor=_SavedModelFlavor(_needs_loader(schema)),
        run_id=run_id,
        saved_model=saved_model,
        signature=ModelSignature(inputs, outputs),
        input_example=pq.read_table(examples).select([field.name for field in schema.fields]).to_pandas(),
        validate_serving_input=False,  # it would load TensorFlow into the driver
    )


def _input_type(field: Field) -> DataType | Array:
    single = DataType[TYPES[field.kind]]
    return Array(single) if field.array else single


class _SavedModelFlavor:
    """What `Model.log` asks of a flavour: a name and `save_model`."""

    __name__ = "mlflow.tensorflow"

    def __init__(self, needs_loader: bool) -> None:
        self._needs_loader = needs_loader

    def save_model(
        self, path: str, mlflow_model: Model, saved_model: str, signature: ModelSignature, input_example: Any, **_: Any
    ) -> None:
        """Writes the model folder."""
        folder = Path(path)
        shutil.copytree(saved_model, folder / SAVED_MODEL)
        requirements = [f"tensorflow=={_version('tensorflow')}", f"mlflow=={mlflow.__version__}"]
        (folder / "requirements.txt").write_text("\n".join(requirements) + "\n")
        mlflow_model.signature = signature
        _save_example(mlflow_model, input_example, path)
        mlflow_model.add_flavor(
            "tensorflow",
            saved_model_dir=SAVED_MODEL,
            model_type="tf1-estimator",  # MLflow's word for "a SavedModel with named signatures"
            meta_graph_tags=["serve"],
            signature_def_key="serving_default",
        )
        loader: dict[str, str] = {"loader_module": "mlflow.tensorflow"}
        if self._needs_loader:
            (folder / CODE).mkdir()
            shutil.copy(Path(__file__).with_name("bytes_loader.py"), folder / CODE / f"{BYTES_LOADER}.py")
            loader = {"loader_module": BYTES_LOADER, "code": CODE}
        mlflow.pyfunc.add_to_model(mlflow_model, env="requirements.txt", **loader)
        mlflow_model.save(str(folder / "MLmodel"))


def _needs_loader(schema: Schema) -> bool:
    """Whether MLflow's own loader cannot feed the model: it takes no bytes, and names as the graph has them."""
    names = safe_names(field.name for field in schema.fields)
    return any(field.kind in ("image", "sound") or names[field.name] != field.name for field in schema.fields)


def loader_digest(schema: Schema) -> str:
    """Returns what is recorded of the code that travels with a model: its digest, or `none`."""
    if not _needs_loader(schema):
        return NO_LOADER
    return _digest({f"{BYTES_LOADER}.py": Path(__file__).with_name("bytes_loader.py").read_bytes()})


def require_loader(folder: str | Path, noted: str, called: str) -> None:
    """Compares the code in a model's folder, which `mlflow.pyfunc` runs, with what was noted of it.

    Args:
        folder: Local folder of the MLflow model.
        noted: What `loader_digest` said; empty where nothing was noted, by an older version: then nothing is compared.
        called: The model's name, for the error.

    Raises:
        ModelChangedError: if they differ.
    """
    if not noted:
        return
    code, said = Path(folder) / CODE, Model.load(str(Path(folder) / "MLmodel")).flavors["python_function"]
    files = {path.relative_to(code).as_posix(): path.read_bytes() for path in code.rglob("*") if path.is_file()}
    found = _digest(files) if files else NO_LOADER
    module = "mlflow.tensorflow" if noted == NO_LOADER else BYTES_LOADER
    if found != noted or said.get("loader_module") != module or said.get("code", CODE) != CODE:
        raise ModelChangedError(
            f"The code that travels with {called} is not what was registered ({found[:12]}…, noted is {noted[:12]}…): "
            "whoever loads it with mlflow.pyfunc would run that. Find out who wrote there; register the model again."
        )


def _digest(files: dict[str, bytes]) -> str:
    found = hashlib.sha256()
    for name, content in sorted(files.items()):
        found.update(f"{name}\n".encode() + hashlib.sha256(content).digest())
    return found.hexdigest()


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
