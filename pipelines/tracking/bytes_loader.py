"""Loads a SavedModel that takes bytes, or columns that it calls otherwise than their user, for `mlflow.pyfunc`.

A copy travels in the folder of every such model.

MLflow's own loader for SavedModels puts bytes into an array of equally long ones, and NumPy drops the zeros at their
end: a recording that ends in silence breaks off, a picture with a black corner is too small. Nothing of emberline is
imported here, because where the model is loaded there may be none.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

SAVED_MODEL = "saved_model"


class BytesModel:
    """What pyfunc asks of a model.

    Args:
        folder: Of the SavedModel.
    """

    def __init__(self, folder: Path) -> None:
        self._loaded = tf.saved_model.load(str(folder))  # the signature alone does not keep its variables
        self._call = self._loaded.signatures["serving_default"]
        facts = folder / "features.json"
        renamed = json.loads(facts.read_text()).get("renamed_inputs", {}) if facts.exists() else {}
        self._called = {safe: name for name, safe in renamed.items()}

    def predict(self, data: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Returns a column per output, with a row for each row of raw columns."""
        wanted = self._call.structured_input_signature[1]
        fed = {name: _tensor(data[self._called.get(name, name)].to_list(), spec.dtype) for name, spec in wanted.items()}
        outputs = self._call(**fed)
        return pd.DataFrame({name: value.numpy().tolist() for name, value in outputs.items()})


def _tensor(values: list[Any], dtype: tf.DType) -> tf.Tensor:
    return tf.constant(values, dtype) if dtype == tf.string else tf.constant(np.array(values), dtype)


def _load_pyfunc(path: str) -> BytesModel:
    return BytesModel(Path(path, SAVED_MODEL))
