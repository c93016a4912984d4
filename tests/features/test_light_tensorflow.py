"""TensorFlow comes without scikit-learn and matplotlib, and Keras finds both as soon as they are asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[2]


def _found(program: str) -> Any:
    """What a process of its own says in its last line: here TensorFlow has long been imported."""
    start = "import json, sys\nfrom emberline.features.light_tensorflow import import_tensorflow\n"
    done = subprocess.run(
        [sys.executable, "-c", start + program], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_nothing_is_loaded_that_nobody_asked_for() -> None:
    program = """
import_tensorflow()
print(json.dumps([name for name in ("sklearn", "matplotlib", "scipy.stats") if name in sys.modules]))
"""
    assert _found(program) == []


def test_wrappers_of_keras_are_estimators_of_scikit_learn() -> None:
    program = """
import_tensorflow()
import keras, numpy as np, sklearn.base, tensorflow as tf

def model(X, y):
    made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
    made.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(0.1))
    return made

rows = np.random.default_rng(0).normal(size=(200, 2))
truth = (rows[:, 0] > 0).astype(int)
fitted = keras.wrappers.SKLearnClassifier(model, fit_kwargs={"epochs": 20, "verbose": 0}).fit(rows, truth)
print(json.dumps([
    isinstance(fitted, sklearn.base.BaseEstimator),
    tf.keras.wrappers.SKLearnClassifier is keras.wrappers.SKLearnClassifier,
    float(np.mean(fitted.predict(rows) == truth)) > 0.9,
    hasattr(keras.wrappers, "SKLearnNothing"),
]))
"""
    assert _found(program) == [True, True, True, False]


def test_pictures_are_plotted(tmp_path: Path) -> None:
    file = tmp_path / "gallery.png"
    program = f"""
import_tensorflow()
import keras, numpy as np
keras.visualization.plot_image_gallery(np.zeros((4, 8, 8, 3)), rows=2, cols=2, path={str(file)!r})
print(json.dumps("matplotlib" in sys.modules))
"""
    assert _found(program) is True
    assert file.read_bytes()[:4] == b"\x89PNG"


def test_what_was_imported_before_stays() -> None:
    program = """
import sklearn, matplotlib
before = sys.modules["sklearn"], sys.modules["matplotlib"]
import_tensorflow()
import keras
from sklearn.base import BaseEstimator
same = before == (sys.modules["sklearn"], sys.modules["matplotlib"])
print(json.dumps([same, issubclass(keras.wrappers.SKLearnRegressor, BaseEstimator)]))
"""
    assert _found(program) == [True, True]


def _loaded(_: object) -> list[str]:
    from emberline.features.light_tensorflow import import_tensorflow

    import_tensorflow()
    return [name for name in ("tensorflow", "keras") if name in sys.modules]


def test_a_python_worker_has_it(spark: SparkSession) -> None:
    assert spark.sparkContext.parallelize([0], 1).map(_loaded).first() == ["tensorflow", "keras"]
