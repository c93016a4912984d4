"""From a corpus of segmented messages to a registered model that takes messages as people type them."""

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

CORPUS = Path(__file__).parents[3] / "shared" / "data" / "antispam"


@pytest.mark.slow
def test_a_message_without_blanks_gets_the_verdict_of_its_words(tmp_path: Path, emberline) -> None:
    if not CORPUS.exists():
        pytest.skip(f"the corpus is not at {CORPUS}")
    finished = emberline("run", "antispam_cnn", "--input", CORPUS, "--workspace", tmp_path)
    assert finished.code == 0, finished.stderr[-4000:]
    summary = finished.result
    assert summary["metrics"]["accuracy"] > 0.97

    held = set(
        pq.read_table(f"{summary['training'].removeprefix('file://')}/evaluation/scores.parquet", columns=["row"])[
            "row"
        ].to_pylist()
    )
    predictions = pq.read_table(summary["predictions"].removeprefix("file://"))
    scores = dict(zip(predictions["row"].to_pylist(), predictions["score"].to_pylist(), strict=True))
    assert held <= scores.keys()

    import hashlib

    import mlflow
    import pandas as pd

    mlflow.set_tracking_uri(summary["tracking_uri"])
    mlflow.set_registry_uri(summary["tracking_uri"])
    model = mlflow.pyfunc.load_model("models:/emberline-antispam_cnn@champion")
    keys, raw = [], []
    for name in ("msgpass.log.seg", "msgspam.log.seg"):
        for line in (CORPUS / name).read_text().split("\n"):
            key = hashlib.sha256(line.strip(" ").encode()).hexdigest()[:16]
            if key in held:
                keys.append(key)
                raw.append(re.sub(r"(?<=[^\x00-\x7f]) | (?=[^\x00-\x7f])", "", line.strip(" ")))
    typed = model.predict(pd.DataFrame({"message": raw}))["score"].to_numpy()
    segmented = np.array([scores[key] for key in keys])
    assert np.mean((typed > 0.5) == (segmented > 0.5)) > 0.98
