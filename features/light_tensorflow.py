"""TensorFlow without what Keras loads beside it and nobody here uses: a third of the seconds that its import takes.

Keras imports scikit-learn, and with it scipy's statistics, for `keras.wrappers`, and matplotlib for
`keras.visualization`, wherever they are installed, as they are with MLflow. A process of ours that starts for one task
or one training waits for them in vain. Here they come when they are asked for.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

LATER = ("sklearn", "matplotlib")

_PLOTS = {
    "plot_image_gallery": ("plt", "matplotlib.pyplot"),
    "plot_bounding_box_gallery": ("patches", "matplotlib.patches"),
}
_WRAPPERS = ("keras.src.wrappers", "keras.wrappers", "keras._tf_keras.keras.wrappers")
_WRAPPED = ("SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer")


def import_tensorflow() -> None:
    """Imports TensorFlow and Keras, if nobody has yet; for processes that are ours, before they start threads.

    `keras.wrappers` and `keras.visualization` work afterwards as they always do.
    """
    if "tensorflow" in sys.modules or "keras" in sys.modules:
        return
    hidden: dict[str, Any] = {name: None for name in LATER if name not in sys.modules}
    sys.modules.update(hidden)
    try:
        importlib.import_module("tensorflow")
        importlib.import_module("keras")
        importlib.import_module("keras._tf_keras.keras")
    finally:
        for name in hidden:
            del sys.modules[name]
    if "matplotlib" in hidden:
        for gallery, (name, plots) in _PLOTS.items():
            if (module := sys.modules.get(f"keras.src.visualization.{gallery}")) is not None:
                setattr(module, name, _Later(plots))
    if "sklearn" in hidden:
        _wrap_later()


class _Later:
    """A module that is imported when something of it is used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib.import_module(self._name), name)


def _wrap_later() -> None:
    """Has the wrappers of scikit-learn defined, over its classes, when they are first asked for."""
    places = [sys.modules[name] for name in _WRAPPERS if name in sys.modules]

    def found(name: str) -> Any:
        if name not in _WRAPPED:
            raise AttributeError(name)
        for place in places:
            place.__dict__.pop("__getattr__", None)
        for module in ("fixes", "utils", "sklearn_wrapper"):
            importlib.reload(sys.modules[f"keras.src.wrappers.{module}"])
        defined = sys.modules["keras.src.wrappers.sklearn_wrapper"]
        for place in places:
            _fill(place, defined)
        return getattr(defined, name)

    for place in places:
        for name in _WRAPPED:
            place.__dict__.pop(name, None)
        place.__dict__["__getattr__"] = found


def _fill(place: ModuleType, defined: ModuleType) -> None:
    for name in _WRAPPED:
        setattr(place, name, getattr(defined, name))
