"""The whole pipeline on 39 columns and 300,000 rows, whose best achievable AUC is known."""

from pathlib import Path

import pytest


@pytest.mark.slow
def test_it_comes_close_to_the_best_achievable_auc(tmp_path: Path, emberline) -> None:
    finished = emberline(
        "run", "clicks_wide_deep", "--workspace", tmp_path, "--master", "local[2]", "--set", "training.workers=1"
    )
    assert finished.code == 0, finished.stderr[-4000:]
    best, found = finished.result["synthetic"]["best"], finished.result["metrics"]
    assert best["auc"] - 0.02 < found["auc"] < best["auc"] + 0.002
    assert finished.result["rows_read"] == 300_000
    assert finished.result["rows_scored"] == 305_000, "test.txt, which has no labels, is scored too"
