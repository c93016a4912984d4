"""The large networks, from folders of photographs to predictions, on small pictures of which there are few."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from emberline.pipelines.datasets import load_dataset
from emberline.pipelines.datasets.images import face_drawings, imagenet
from emberline.pipelines.recipes import load_recipe

pytestmark = pytest.mark.slow

FILES = 40 + 10


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of a few made-up photographs for a recipe."""
    made: dict[str, Path] = {}

    def make(recipe: str) -> Path:
        name = load_recipe(recipe).dataset
        if name not in made:
            made[name] = tmp_path_factory.mktemp(name)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(face_drawings, "FILES", {"train": 40, "eval": 10})
                patch.setattr(imagenet, "FILES", {"train": 40, "val": 10})
                load_dataset(name).generate(str(made[name]), seed=1)
        return made[name]

    return make


@pytest.mark.parametrize(
    ("recipe", "side", "changes", "metric"),
    [
        ("imagenet_mobilenet", 32, ("model.width=0.25",), "accuracy"),
        ("imagenet_resnet50", 32, (), "accuracy"),
        ("imagenet_googlenet", 72, (), "accuracy"),
        ("faces_gender", 67, (), "auc"),
        ("faces_age", 67, (), "accuracy"),
        ("faces_embedding", 32, (), "eer"),
    ],
)
def test_photographs_become_predictions(
    recipe: str, side: int, changes: tuple[str, ...], metric: str, photographs: Any, tmp_path: Path, emberline: Any
) -> None:
    settings = (
        f"model.image.height={side}", f"model.image.width={side}", "training.epochs=1", "training.global_batch=20",
        "training.mode=local", "gate.limit=0.0", "expectations.stop=()", *changes,  # a class may have none of so few
    )  # fmt: skip
    finished = emberline(
        "run", recipe, "--input", photographs(recipe), "--workspace", tmp_path, "--master", "local[1]",
        *(word for setting in settings for word in ("--set", setting)),
    )  # fmt: skip
    assert finished.code == 0, finished.stderr[-4000:]
    summary = finished.result
    assert summary["steps"] == 2
    assert summary["rows_scored"] == FILES
    assert 0 <= summary["metrics"][metric] <= 1
    assert summary["synthetic"]["seed"] == 1
    predictions = pq.read_table(Path(summary["predictions"].removeprefix("file://")))
    assert predictions.num_rows == FILES
    assert {"score", "embedding"} & set(predictions.schema.names)
