"""The code as one archive for `spark-submit --py-files`: `python -m pipelines.bundle dist/emberline.zip`.

A `.zip`, because executors do not import a `.whl` (local mode does, which hides it). Only code travels; the
packages it needs must be in the cluster's Python environment.
"""

import sys
import zipfile
from pathlib import Path

ROOMS = ("features", "models", "pipelines")
KINDS = (".py", ".html", ".css")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""One date for every entry, so that the same code gives the same bytes."""


def bundle(target: str) -> Path:
    """Writes the archive and returns its path; parent folders are made."""
    root, path = Path(__file__).resolve().parents[1], Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(file for room in ROOMS for file in (root / room).rglob("*") if file.suffix in KINDS):
            archive.writestr(zipfile.ZipInfo(str(file.relative_to(root)), EPOCH), file.read_bytes())
    return path


if __name__ == "__main__":
    print(bundle(sys.argv[1] if len(sys.argv) > 1 else "dist/emberline.zip"))
