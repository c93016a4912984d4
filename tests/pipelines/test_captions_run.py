"""The whole way from pictures to sentences: an encoder trained, its vectors from a scoring job, captions on those."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from emberline.pipelines.datasets.captions import scenes
from emberline.pipelines.recipes.captions.scenes_embedding import WIDTH


@pytest.mark.slow
def test_pictures_get_sentences(tmp_path: Path, emberline: Any) -> None:
    raw = tmp_path / "scenes"
    scenes.DATASET.generate(str(raw), seed=1)
    given = ("--input", raw, "--master", "local[2]")
    local = ("--workspace", tmp_path, "--set", "training.mode=local")
    encoder = emberline("run", "scenes_embedding", *given, *local)
    assert encoder.code == 0, encoder.stderr[-4000:]
    model = f"models:/{encoder.result['scored_with']['name']}/{encoder.result['scored_with']['version']}"
    scored = emberline(
        "score", "--pipeline", "scenes_embedding", "--model", model, *given, "--output", raw / "vectors",
        "--tracking-uri", f"sqlite:///{tmp_path}/mlflow.db",
    )  # fmt: skip
    assert scored.code == 0, scored.stderr[-4000:]
    assert len(pq.read_table(raw / "vectors")["embedding"][0].as_py()) == WIDTH
    writer = emberline("run", "scene_captions", *given, *local)
    assert writer.code == 0, writer.stderr[-4000:]
    assert (writer.result["rows_rejected"], writer.result["records"]["eval"]) == (0, 648)
    assert writer.result["metrics"]["bleu"] > 0.85
    assert writer.result["metrics"]["perplexity"] < 1.2
    written = pq.read_table(Path(writer.result["predictions"].removeprefix("file://")))
    assert set(" ".join(written["written"].to_pylist()).split()) <= set(
        " ".join(map(scenes.sentence, scenes.SCENES)).split()
    )
