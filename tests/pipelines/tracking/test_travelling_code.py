"""The code that travels with a model is compared with what was noted of it."""

from pathlib import Path

import pytest
from mlflow.models import Model

from emberline.features.schema import Field, Label, Schema
from emberline.pipelines.saved_model.digest import ModelChangedError
from emberline.pipelines.tracking import flavor

IMAGES = Schema(
    fields=(Field("image", "image", shape=(8, 8, 3)),), label=Label("label", classes=(("a",), ("b",))), key="k"
)
NUMBERS = Schema(fields=(Field("x", "float"),), label=Label("label", classes=(("a",), ("b",))), key="k")


def model(folder: Path, loader: str, code: str | None) -> Path:
    folder.mkdir(exist_ok=True)
    if code is not None:
        (folder / "code").mkdir(exist_ok=True)
        (folder / "code" / "emberline_bytes_loader.py").write_text(code)
    made = Model()
    made.add_flavor("python_function", loader_module=loader, **({"code": "code"} if code is not None else {}))
    made.save(str(folder / "MLmodel"))
    return folder


def test_changed_added_or_exchanged_code_is_refused(tmp_path: Path) -> None:
    code = Path(flavor.__file__).with_name("bytes_loader.py").read_text()
    noted, none = flavor.loader_digest(IMAGES), flavor.loader_digest(NUMBERS)
    flavor.require_loader(model(tmp_path / "a", "emberline_bytes_loader", code), noted, "m")
    flavor.require_loader(model(tmp_path / "b", "mlflow.tensorflow", None), none, "m")
    flavor.require_loader(tmp_path / "b", "", "of an older version")
    forged = (
        (model(tmp_path / "c", "emberline_bytes_loader", code + "\nprint('also')"), noted),
        (model(tmp_path / "d", "emberline_bytes_loader", code), none),
        (model(tmp_path / "e", "os", None), none),
        (model(tmp_path / "f", "other", code), noted),
    )
    for folder, digest in forged:
        with pytest.raises(ModelChangedError, match="whoever loads it with"):
            flavor.require_loader(folder, digest, "m")
    (tmp_path / "a" / "code" / "sitecustomize.py").write_text("")
    with pytest.raises(ModelChangedError):
        flavor.require_loader(tmp_path / "a", noted, "m")
