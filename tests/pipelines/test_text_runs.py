"""Networks over texts, from files to a registered model and predictions, each on a small slice."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from emberline.pipelines.datasets.captions import scene_captions, scenes
from emberline.pipelines.datasets.text import antispam, ptb, reviews, sentence_pairs, text8

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Slice:
    """A recipe and what makes it small.

    Args:
        dataset: Whose rows it reads.
        columns: Of its predictions.
        metrics: That it is measured by.
        settings: `--set` values.
    """

    dataset: Any
    columns: set[str]
    metrics: set[str]
    settings: tuple[str, ...] = ()


PAIRS = Slice(
    sentence_pairs.DATASET,
    {"written", "reference", "loss", "tokens"},
    {"bleu", "perplexity", "loss", "exact", "meteor"},
    ("model.units=8", "model.layers=1", "model.longest=8", "model.beams=2", "gate.metric=perplexity", "gate.limit=1e6"),
)
CAPTIONS = Slice(scene_captions.DATASET, PAIRS.columns, PAIRS.metrics, ("model.units=8", *PAIRS.settings[2:]))
OPINION = Slice(reviews.DATASET, {"score", "class"}, {"accuracy", "auc"}, ("gate.limit=0.3",))
SLICES = {
    "word2vec": Slice(text8.DATASET, {"vector", "loss", "pairs"}, {"loss"}, ("model.words.dimension=16",)),
    "ptb_small": Slice(
        ptb.DATASET, {"loss", "tokens", "perplexity"}, {"perplexity", "loss"}, ("model.words.dimension=16",)
    ),
    "translation": PAIRS,
    "movie_dialogs": PAIRS,
    "scene_captions": CAPTIONS,
    "sentiment_nbow": OPINION,
    "sentiment_cnn": OPINION,
    "sentiment_bilstm": OPINION,
}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Some lines of each data set in its own format."""
    folders = {}
    for dataset in (text8.DATASET, ptb.DATASET, antispam.DATASET, sentence_pairs.DATASET):
        folder = tmp_path_factory.mktemp(dataset.name)
        dataset.generate(str(folder / "whole"), seed=1)
        (folder / "slice").mkdir()
        for file in (folder / "whole").iterdir():
            if file.suffix != ".json":
                lines = file.read_text().splitlines(keepends=True)[:1500]
                (folder / "slice" / file.name).write_text("".join(lines))
        folders[dataset.name] = folder / "slice"
    folder = tmp_path_factory.mktemp("reviews")
    reviews.DATASET.generate(str(folder), seed=1)
    for file in folder.glob("*/*/*.txt"):
        if int(file.stem) >= 400:
            file.unlink()
    (folder / "synthetic.json").unlink()
    folders["reviews"] = folder
    folders["scene_captions"] = tmp_path_factory.mktemp("scene_captions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "FILES", {"train": 1, "val": 1})
        scene_captions.DATASET.generate(str(folders["scene_captions"]), seed=1)
    return folders


def run(emberline: Any, recipe: str, source: Path, workspace: Path, *settings: str) -> dict[str, Any]:
    chosen = ["training.mode=local", "training.epochs=1", "training.global_batch=10", *settings]
    given = [argument for setting in chosen for argument in ("--set", setting)]
    finished = emberline("run", recipe, "--input", source, "--workspace", workspace, "--master", "local[2]", *given)
    assert finished.code == 0, finished.stderr[-4000:]
    summary: dict[str, Any] = finished.result
    return summary


@pytest.mark.parametrize("recipe", SLICES)
def test_it_runs_from_files_to_predictions(recipe: str, raw: dict[str, Path], tmp_path: Path, emberline: Any) -> None:
    small = SLICES[recipe]
    summary = run(emberline, recipe, raw[small.dataset.name], tmp_path, *small.settings)
    assert small.metrics <= set(summary["metrics"])
    assert all(np.isfinite(summary["metrics"][name]) for name in small.metrics)
    predictions = pq.read_table(summary["predictions"].removeprefix("file://"))
    assert small.columns <= set(predictions.schema.names)
    assert predictions.num_rows == summary["rows_scored"] == sum(summary["records"].values())
    manifest = json.loads(Path(summary["dataset"].removeprefix("file://"), "manifest.json").read_text())
    lengths = manifest["splits"]["train"]["lengths"]
    assert all(len(found) == 101 for found in lengths.values())
    if recipe == "ptb_small":
        assert lengths["text"][-1] == 1401
        written = emberline(
            "generate", "--model", "models:/emberline-ptb_small@champion", "--begin", "w1 w2", "--words", "7",
            "--top-k", "3", "--tracking-uri", summary["tracking_uri"],
        )  # fmt: skip
        assert written.code == 0, written.stderr[-2000:]
        assert len(written.result["text"].split()) == 9
    if small is PAIRS:
        assert all(isinstance(text, str) for text in predictions["written"].to_pylist())
        assert predictions["reference"][0].as_py().endswith(".")


def test_filters_start_from_the_vectors_of_their_messages(raw: dict[str, Path], tmp_path: Path, emberline: Any) -> None:
    learned = run(emberline, "antispam_word2vec", raw["antispam"], tmp_path, "model.words.dimension=16")
    vectors = learned["training"].removeprefix("file://") + "/model/vectors/message"
    summary = run(
        emberline, "antispam_cnn", raw["antispam"], tmp_path, "model.words.dimension=16", "gate.limit=0.3",
        f"model.words.initial={vectors}.npy", "model.words.trainable=false",
    )  # fmt: skip
    features = [
        json.loads(Path(one["dataset"].removeprefix("file://"), "features.json").read_text())
        for one in (learned, summary)
    ]
    digests = [one["statistics"]["fields"]["message"]["vocabulary"]["sha256"] for one in features]
    assert digests[0] == digests[1], "ids mean the same words"
    recipe = json.loads(Path(summary["training"].removeprefix("file://"), "model", "recipe.json").read_text())
    assert recipe["model"]["words"]["initial"] == f"{vectors}.npy"
    finished = emberline(
        "neighbours",
        "--vectors",
        f"{vectors}.parquet",
        "--words",
        features[0]["statistics"]["fields"]["message"]["top"][0][0],
    )
    assert finished.code == 0, finished.stderr[-2000:]
    assert len(next(iter(finished.result["neighbours"].values()))) == 8
